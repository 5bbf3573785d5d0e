"""Metadata of exported files from elsewhere: one line, from every program that reads them."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from otadet.errors import InputError
from otadet.export import OnnxDetector
from otadet.export.metadata import read_metadata
from tests.export.networks import generated

ROOT = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("OTADET_CPP_DEMO", ROOT / "build/cpp/detect"))
Entries = dict[str, str]


def entries(**changes: object) -> Entries:
    """Sound metadata as JSON texts but for ``changes``, as values or as ``input__size``."""
    about: dict[str, object] = {
        "otadet_export": 1, "otadet_version": "0.1.0", "class_names": ["a", "b"],
        "input": {"type": "float32", "size": [96, 128], "dynamic": "none", "multiple": 32,
                  "color_order": "RGB"},
        "resize": {"rule": "letterbox", "size": [96, 128], "padding": 114},
        "output": "points", "strides": [8, 16, 32], "score_rule": "product",
        "thresholds": {"score": 0.05, "nms": 0.6, "max_detections": 100, "candidates": 1000,
                       "default_score": 0.3},
        "experiment": "quickstart", "settings": {"lr": 0.1}, "category_ids": [3, 5],
        "point_labels": "all", "tiles": {"size": 64, "overlap": 16, "whole": True},
    }  # fmt: skip
    for place, value in changes.items():
        first, _, second = place.partition("__")
        if second:
            inner = about[first]
            assert isinstance(inner, dict)
            inner[second] = value
        else:
            about[first] = value
    return {name: json.dumps(value) for name, value in about.items() if value is not ...}


FAULTS: dict[str, tuple[Entries, str]] = {
    "no JSON": ({**entries(), "strides": "[8"}, "strides"),
    "deep": ({**entries(), "strides": "[" * 99_999}, "strides"),
    "vast number": ({**entries(), "strides": "[" + "9" * 5000 + "]"}, "strides"),
    "version of text": ({**entries(), "otadet_export": '"1"'}, ""),
    "version 2": (entries(otadet_export=2), "version"),
    "version 0": (entries(otadet_export=0), ""),
    "names of a text": (entries(class_names="ab"), "class_names"),
    "no names": (entries(class_names=[]), "class_names"),
    "names of numbers": (entries(class_names=[1, 2]), "class_names"),
    "input of a list": (entries(input=[]), "input"),
    "input type": (entries(input__type="float16"), "input.type"),
    "multiple": (entries(input__multiple=0), "input.multiple"),
    "multiple of text": (entries(input__multiple="32"), "input.multiple"),
    "rule": (entries(resize__rule="x"), "resize.rule"),
    "size of 1e15": (entries(resize__size=[10**15, 10]), "resize.size"),
    "size of many pixels": (entries(resize__size=[1 << 20, 1 << 20]), "resize.size"),
    "size of one": (entries(resize__size=[96]), "resize.size"),
    "size 0": (entries(resize__size=[0, 128]), "resize.size"),
    "size of text": (entries(resize__size="ab"), "resize.size"),
    "padding": (entries(resize__padding=256), "resize.padding"),
    "output": (entries(output="boxes"), "output"),
    "output of a list": (entries(output=["points"]), "output"),
    "stride 0": (entries(strides=[0]), "strides"),
    "no strides": (entries(strides=[]), "strides"),
    "stride 1.5": (entries(strides=[1.5]), "strides"),
    "score 7": (entries(thresholds__score=7), "thresholds.score"),
    "score of text": (entries(thresholds__score="high"), "thresholds.score"),
    "nms NaN": ({**entries(), "thresholds": '{"score": 0.1, "nms": NaN}'}, "thresholds"),
    "no candidates": (entries(thresholds__candidates=0), "thresholds.candidates"),
    "detections of 1e9": (entries(thresholds__max_detections=10**9), "thresholds.max_detections"),
    "default score": (entries(thresholds__default_score=-1), "thresholds.default_score"),
    "labels": (entries(point_labels="some"), "point_labels"),
    "ids": (entries(category_ids=[3]), "category_ids"),
    "ids of text": (entries(category_ids=["3", "5"]), "category_ids"),
    "tiles of a number": (entries(tiles=64), "tiles"),
    "tiles of no size": (entries(tiles={"overlap": 16, "whole": True}), "tiles"),
    "a tile a pixel": (entries(tiles={"size": 1, "overlap": 0, "whole": True}), "tiles"),
    "half a tile shared": (entries(tiles__overlap=32), "tiles"),
    "overlap of text": (entries(tiles__overlap="16"), "tiles"),
    "whole or not": (entries(tiles__whole="yes"), "tiles"),
    "no output": (entries(output=...), "output"),
    "no thresholds": (entries(thresholds=...), "thresholds"),
}  # fmt: skip
OURS: dict[str, tuple[Entries, str]] = {
    "experiment": (entries(experiment="../x"), "experiment: expected the name of an exp"),
    "settings": (entries(settings={"a b": 1}), "settings: the key: expected the name"),
    "setting": (entries(settings={"lr": {}}), r"settings\['lr'\]: expected text, a number"),
    "rule": (entries(score_rule="x"), "score_rule: expected one of"),
    "two": (entries(output=1, strides=2), "output: .*; strides: expected a list, got 2"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_otadet_and_its_script_say_what_is_wrong(name: str) -> None:
    changed, place = FAULTS[name]
    for read in (lambda: read_metadata(changed, "x.onnx"),
                 lambda: script().read_metadata(Path("x.onnx"), changed)):  # fmt: skip
        with pytest.raises(ValueError, match=rf"^x\.onnx: metadata.*{place}") as caught:
            read()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("name", OURS)
def test_otadet_says_what_is_wrong(name: str) -> None:
    changed, message = OURS[name]
    with pytest.raises(InputError, match=rf"^x\.onnx: metadata: {message}"):
        read_metadata(changed, "x.onnx")


def older() -> Entries:
    """Metadata of the first version, before some entries were added."""
    made = entries(category_ids=..., point_labels=..., tiles=...)
    limits = json.loads(made["thresholds"])
    del limits["default_score"]
    return {**made, "thresholds": json.dumps(limits)}


SOUND = {"whole": entries(), "older": older(), "no ids": entries(category_ids=None),
         "odd name": {**entries(), "class_names": '["\\ud800x", "b"]'},
         "entry of another program": {**entries(), "author": "no JSON"}}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_read(name: str) -> None:
    for about in (read_metadata(SOUND[name], "x"), script().read_metadata(Path("x"), SOUND[name])):
        assert about["strides"] == [8, 16, 32] and len(about["class_names"]) == 2


def script() -> ModuleType:
    """The script of ``demo/onnxruntime``, which imports nothing of otadet."""
    spec = importlib.util.spec_from_file_location("detect", ROOT / "demo/onnxruntime/detect.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(about: Entries, **outputs: np.ndarray) -> ModelProto:
    """A graph that gives the same outputs for any image."""
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 96, 128])
    nodes, infos = [], []
    for name, value in outputs.items():
        tensor = numpy_helper.from_array(value, name)
        nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        infos.append(helper.make_tensor_value_info(name, tensor.data_type, value.shape))
    made = helper.make_model(
        helper.make_graph(nodes, "g", [given], infos), opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )  # fmt: skip
    helper.set_model_props(made, about)
    return made


def floats(*shape: int) -> np.ndarray:
    return np.full(shape, 0.5, np.float32)


POINTS = sum(-(-96 // s) * -(-128 // s) for s in (8, 16, 32))
NMS = entries(output="detections")
MISFITS: dict[str, Callable[[], ModelProto]] = {
    "no scores": lambda: model(entries(), boxes=floats(1, POINTS, 4)),
    "boxes of 5": lambda: model(entries(), boxes=floats(1, POINTS, 5), scores=floats(1, POINTS, 2)),
    "scores of 3 classes": lambda: model(
        entries(), boxes=floats(1, POINTS, 4), scores=floats(1, POINTS, 3)
    ),
    "whole boxes": lambda: model(
        entries(), boxes=np.ones((1, POINTS, 4), np.int64), scores=floats(1, POINTS, 2)
    ),
    "a box": lambda: model(entries(), boxes=floats(4), scores=floats(1, POINTS, 2)),
    "no labels": lambda: model(NMS, boxes=floats(1, 9, 4), scores=floats(1, 9)),
    "labels of no class": lambda: model(
        NMS, boxes=floats(1, 9, 4), scores=floats(1, 9), labels=np.full((1, 9), 2)
    ),
    "labels of floats": lambda: model(
        NMS, boxes=floats(1, 9, 4), scores=floats(1, 9), labels=floats(1, 9)
    ),
    "fewer labels": lambda: model(
        NMS, boxes=floats(1, 9, 4), scores=floats(1, 9), labels=np.zeros((1, 8), np.int64)
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_outputs_that_are_not_what_the_metadata_say(tmp_path: Path, name: str) -> None:
    made = MISFITS[name]()
    path = tmp_path / "x.onnx"
    path.write_bytes(made.SerializeToString())
    (batch,) = generated(1)
    with pytest.raises(InputError, match=r"x\.onnx: outputs: "):
        OnnxDetector.open(path)(batch)
    with pytest.raises(ValueError, match=r"x\.onnx: .*outputs"):
        script().Detector(path)(np.zeros((96, 128, 3), np.uint8))


def test_the_demo_takes_a_threshold_of_null_for_none(tmp_path: Path) -> None:
    entry = entries(thresholds__default_score=None)
    made = model(entry, boxes=floats(1, POINTS, 4), scores=floats(1, POINTS, 2))
    (tmp_path / "x.onnx").write_bytes(made.SerializeToString())
    assert script().Detector(tmp_path / "x.onnx").default_score == 0.3


def test_metadata_that_are_no_text(tmp_path: Path) -> None:
    made = model(entries(), boxes=floats(1, POINTS, 4), scores=floats(1, POINTS, 2))
    content = made.SerializeToString().replace(b"letterbox", b"letterb\xfdx")
    (tmp_path / "x.onnx").write_bytes(content)
    for opened in (OnnxDetector.open, script().Detector):
        with pytest.raises(ValueError, match=r"x\.onnx: not an ONNX file .* can't decode"):
            opened(tmp_path / "x.onnx")


def test_points_of_other_strides(tmp_path: Path) -> None:
    made = model(entries(), boxes=floats(1, 9, 4), scores=floats(1, 9, 2))
    (tmp_path / "x.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(InputError, match=f"expected boxes of {POINTS} points, .* got 9"):
        OnnxDetector.open(tmp_path / "x.onnx")(generated(1)[0])


NODE = """
import { readFileSync } from "node:fs";
const { metadata } = await import(process.argv[2]);
for (const path of process.argv.slice(3)) {
  try {
    metadata(new Uint8Array(readFileSync(path)), "x.onnx");
    console.log("sound");
  } catch (error) {
    console.log(error.constructor.name, error.message);
  }
}
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_page_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "read.mjs").write_text(NODE, encoding="utf-8")
    cases = [(about, "sound") for about in SOUND.values()]
    cases += [(about, f"Error x.onnx: metadata.*{place}") for about, place in FAULTS.values()]
    for number, (about, _) in enumerate(cases):
        made = ModelProto()
        helper.set_model_props(made, about)
        (tmp_path / f"{number:03}.onnx").write_bytes(made.SerializeToString())
    done = subprocess.run(
        ["node", tmp_path / "read.mjs", ROOT / "demo/web/metadata.js",
         *sorted(tmp_path.glob("*.onnx"))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == len(cases), done.stdout
    for line, (_, message) in zip(lines, cases):
        assert re.match(message, line), (message, line)
