"""A file in onnxruntime finds and scores what the network does."""

import json
from pathlib import Path

import onnx
import pytest
import torch

from otadet.cli import eval as evaluation
from otadet.cli import export
from otadet.errors import InputError
from otadet.export import OnnxDetector
from otadet.export.compare import agreement
from otadet.export.session import levels
from tests.export.networks import CLASSES, checkpoint, experiment, generated, network

pytestmark = pytest.mark.usefixtures("older_exporter")


def exported(folder: Path, *words: str, **settings: object) -> Path:
    out = folder / "model.onnx"
    path = str(checkpoint(folder, **settings))
    assert export.main(["-c", path, "--output", str(out), *words]) == 0
    return out


@pytest.mark.parametrize("words", [[], ["--nms", "--uint8", "--dynamic", "all"]])
def test_detections_are_those_of_the_network(tmp_path: Path, words: list[str]) -> None:
    detector = OnnxDetector.open(exported(tmp_path, *words))
    assert detector.class_names == CLASSES
    assert detector.size == (None if words else (96, 128))
    exp = experiment()
    model, postprocess = network(exp), exp.build_postprocess()
    assert detector.postprocess == postprocess
    for batch in generated(1, 3):
        with torch.no_grad():
            expected = postprocess(model(batch.images), batch.geometries)
        found = detector(batch)
        assert len(found) == len(expected) == len(batch)
        for a, b in zip(found, expected):
            result = agreement(a, b, postprocess, 0.05, 1e-4)
            assert result.equal > 5 and result.share == 1


@pytest.mark.parametrize("words", [[], ["--nms"]])
def test_the_command_measures_the_same_as_of_the_checkpoint(
    tmp_path: Path, words: list[str]
) -> None:
    out = exported(tmp_path, *words)
    data = ["shapes_val=6", "workers=0", f"shapes_classes={','.join(CLASSES)}"]
    assert evaluation.main(["--onnx", str(out), "-b", "4", "-o", str(tmp_path / "a"), *data]) == 0
    checkpointed = ["-c", str(tmp_path / "best.pth"), "-d", "cpu", "-o", str(tmp_path / "b")]
    assert evaluation.main([*checkpointed, *data]) == 0
    a, b = (json.loads((tmp_path / f"{x}/metrics.json").read_text(encoding="utf-8")) for x in "ab")
    assert a == pytest.approx(b, abs=1e-4, nan_ok=True) and a["AR100"] > 0


def test_wrong_input_is_one_clear_line(tmp_path: Path) -> None:
    out = exported(tmp_path)
    foreign = onnx.load(str(out))
    del foreign.metadata_props[:]
    onnx.save(foreign, str(tmp_path / "foreign.onnx"))
    (tmp_path / "text.onnx").write_text("hello", encoding="utf-8")
    for words, message in (
        (["--onnx", str(tmp_path / "no.onnx")], "no.onnx: no such file"),
        (["--onnx", str(tmp_path / "text.onnx")], "text.onnx: not an ONNX file"),
        (["--onnx", str(tmp_path / "foreign.onnx")], "foreign.onnx: .* otadet did not write"),
        (["--onnx", str(out), "-c", "best.pth"], "-c: not with --onnx"),
        (["--onnx", str(out), "nms_threshold=0.5"], "nms_threshold: is fixed in the ONNX file"),
    ):
        with pytest.raises(InputError, match=message):
            evaluation.main(words)


def test_levels_of_an_input() -> None:
    # 96 x 64 at stride 32 has 3 x 2 points, at stride 64 it has 2 x 1
    assert levels([32, 64], (96, 64)).tolist() == [0] * 6 + [1] * 2
