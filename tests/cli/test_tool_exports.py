"""Exports of tools are trained on with nothing but their folder named, and the log says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from otadet.cli import train
from otadet.engine.checkpoint import load_checkpoint
from tests.data.forms import FORMS
from tests.engine.processes import SMALL

SHARE = "about 80% of one set (val_fraction=0.2)"
EXPORTS = {
    "COCO: Roboflow": ("COCO, Roboflow, a file a split", "note: 1 x the category that only"),
    "COCO: CVAT": ("COCO, CVAT, one file", SHARE),
    "labelme: points and lines beside": ("labelme, one folder", SHARE, "note: 12 x points and"),
    "YOLO: CVAT 1.1": ("YOLO", SHARE, "repaired: 6 x entries of a list", "(folder in front)"),
    "VOC: Label Studio": ("VOC", SHARE),
    "CSV: VoTT": ("CSV", SHARE),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_trained_on(name: str, tmp_path: Path) -> None:
    form = next(each for each in FORMS if each.name == name)
    form.write(tmp_path / "data")
    words = ["-n", "quickstart", "-d", "cpu", "-b", "2", "-o", str(tmp_path / "run"), *SMALL]
    assert train.main([*words, "max_iters=2", f"data_dir={tmp_path / 'data'}"]) == 0
    assert set(load_checkpoint(tmp_path / "run/best.pth").class_names) == set(form.names)
    log = (tmp_path / "run/log.txt").read_text(encoding="utf-8")
    said = [line.partition(" INFO ")[2] for line in log.splitlines()]
    block = [line for line in said if line.startswith(("train: ", "val: ", "  "))]
    for part in EXPORTS[name]:
        assert part in "\n".join(block)
    assert len(set(block)) == len(block)  # what holds for both parts of a set is said once
