"""Files of torch alone: proven, self-describing, and gone where they differ."""

import json
from pathlib import Path

import pytest
import torch

from otadet.cli import export
from otadet.errors import InputError
from otadet.export import read_metadata
from otadet.export.verify import Run
from tests.export.networks import CLASSES, SIZE, checkpoint


@pytest.mark.parametrize("kind", ["torchscript", "torch_export"])
def test_the_file_equals_the_network_and_has_metadata(tmp_path: Path, kind: str) -> None:
    out = tmp_path / ("m.pt" if kind == "torchscript" else "m.pt2")
    words = ["-c", str(checkpoint(tmp_path)), "--format", kind, "--output", str(out)]
    assert export.main([*words, "--dynamic", "batch", "--uint8"]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"best.pth", out.name, f"{out.name}.report.json"}
    entries = read_metadata(out, kind)
    assert entries["class_names"] == list(CLASSES) and entries["input"]["size"] == list(SIZE)
    assert entries["input"]["type"] == "uint8" and entries["output"] == "points"
    report = json.loads((tmp_path / f"{out.name}.report.json").read_text(encoding="utf-8"))
    assert report["passed"] and report["exporter"] == kind and report["file"] == out.name
    assert {t["batch"] for t in report["trials"]} == {1, 2}
    assert report["share_of_equal_detections"] == 1 and report["detections"]["equal"] > 0


def test_another_shape_works_where_it_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    words = ["-c", str(checkpoint(tmp_path)), "--format", "torchscript", "--output", str(out)]
    assert export.main([*words, "--dynamic", "all"]) == 0
    report = json.loads((tmp_path / "m.pt.report.json").read_text(encoding="utf-8"))
    assert len({tuple(t["size"]) for t in report["trials"]}) == 2


def test_a_file_that_differs_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = export.load_program

    def other(path: Path, kind: str, uint8: bool) -> Run:
        run = real(path, kind, uint8)

        def moved(images: torch.Tensor) -> dict[str, object]:
            out = run(images)
            return {**out, "boxes": out["boxes"] + 1.0}

        return moved

    monkeypatch.setattr(export, "load_program", other)
    out = tmp_path / "m.pt"
    words = ["-c", str(checkpoint(tmp_path)), "--format", "torchscript", "--output", str(out)]
    assert export.main(words) == 1
    assert {p.name for p in tmp_path.iterdir()} == {"best.pth"}


def test_wrong_input_and_foreign_files(tmp_path: Path) -> None:
    words = ["-c", str(checkpoint(tmp_path)), "--output", str(tmp_path / "m.pt"), "--nms"]
    with pytest.raises(InputError, match="--nms: expected with --format onnx only"):
        export.main([*words, "--format", "torch_export"])
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(1),))
    torch.export.save(program, tmp_path / "foreign.pt2")
    with pytest.raises(InputError, match=r"foreign\.pt2: no metadata"):
        read_metadata(tmp_path / "foreign.pt2", "torch_export")


@pytest.mark.usefixtures("older_exporter")
def test_onnx_is_the_default(tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    assert export.main(["-c", str(checkpoint(tmp_path)), "--output", str(out), "--nms"]) == 0
    report = json.loads((tmp_path / "m.onnx.report.json").read_text(encoding="utf-8"))
    assert report["nms"] and {"onnx", "onnxruntime", "torch"} <= report["versions"].keys()
