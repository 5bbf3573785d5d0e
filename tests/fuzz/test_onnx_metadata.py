"""Exported files, changed a little: ``demo/onnxruntime`` detects, or says what is wrong."""

from __future__ import annotations

import argparse
import importlib.util
import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from onnx import TensorProto, helper, numpy_helper

from otadet.data import write_image
from otadet.export.metadata import metadata
from otadet.postprocess import Postprocess
from tests.export.networks import options
from tests.fuzz.mutations import as_json, changed_bytes, changed_text, changed_value
from tests.fuzz.oracle import fuzz, watched

pytestmark = pytest.mark.fuzz

_SCRIPT = Path(__file__).parents[2] / "demo/onnxruntime/detect.py"
_POINTS = 252  # of an input of 96 x 128


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("detect", _SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _entries(nms: bool) -> dict[str, str]:
    return metadata(
        class_names=("ant", "bee"), strides=(8, 16, 32), options=options(nms=nms),
        postprocess=Postprocess(), experiment="quickstart", settings={"a": 1}, category_ids=(1, 5),
    )  # fmt: skip


def _graph(entries: dict[str, str], nms: bool) -> bytes:
    """A graph that gives the same boxes for any image."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (1, _POINTS, 2)).astype(np.float32)
    boxes = np.concatenate([corner, corner + 30], 2)
    scores = rng.uniform(0, 1, (1, _POINTS, 2)).astype(np.float32)
    values = {"boxes": boxes, "scores": scores}
    if nms:
        labels = np.tile(np.array([0, 1, -1], np.int64), _POINTS // 3)[None]
        values = {"boxes": boxes, "scores": scores[..., 0], "labels": labels}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        for name, value in values.items()
    ]
    kinds = {"labels": TensorProto.INT64}
    outputs = [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), value.shape)
        for name, value in values.items()
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, "height", "width"))
    graph = helper.make_graph(nodes, "detector", [image], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


@st.composite
def _models(draw: DrawFn) -> bytes:
    """Metadata with a value, an entry, or the text of one changed; rarely the file's bytes."""
    nms = draw(st.booleans())
    entries = _entries(nms)
    kind = draw(st.sampled_from(["value", "value", "value", "text", "bytes"]))
    if kind == "value":
        document = {key: json.loads(text) for key, text in entries.items()}
        changed: dict[str, Any] = draw(changed_value(document))
        entries = {str(key): as_json(value) for key, value in changed.items()}
    elif kind == "text":
        key = draw(st.sampled_from(list(entries)))
        entries[key] = draw(changed_text(entries[key]))
    model = _graph({_utf8(key): _utf8(text) for key, text in entries.items()}, nms)
    return draw(changed_bytes(model)) if kind == "bytes" else model


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def test_onnx_metadata(tmp_path: Path) -> None:
    script = _script()
    folder = tmp_path / "folder"
    folder.mkdir()
    write_image(folder / "image.png", np.full((60, 90, 3), 99, np.uint8))

    def check(model: bytes) -> None:
        (folder / "model.onnx").write_bytes(model)
        args = argparse.Namespace(
            model=folder / "model.onnx", path=folder / "image.png", output=folder / "out", conf=None
        )
        with watched(folder, tmp_path / "none"), redirect_stdout(StringIO()):
            try:
                script.detect(args)
            except ValueError as error:  # for which its main prints one line
                assert str(error).startswith(str(args.model)), error

    fuzz(_models(), check, _graph(_entries(nms=False), nms=False))
