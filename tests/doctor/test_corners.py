"""Boxes of CSV and labelme in shares of the image are found before training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from otadet.data import write_image
from otadet.doctor import Report
from tests.doctor.test_findings import look

BOXES = [[4, 6, 20, 30], [10, 8, 50, 22], [30, 5, 58, 39], [2, 2, 12, 11]]


def check(root: Path, kind: str, boxes: list[list[float]]) -> Report:
    for split in ("train", "val"):
        folder = root / split
        folder.mkdir()
        image = np.random.default_rng(len(split)).integers(0, 255, (40, 60, 3), np.uint8)
        write_image(folder / f"{split}.png", image)
        rows = "".join(f"{split}.png,{','.join(map(str, box))},ant\n" for box in boxes)
        (folder / "boxes.csv").write_text(rows, encoding="utf-8")
        shapes = [
            {"label": "ant", "points": [box[:2], box[2:]], "shape_type": "rectangle"}
            for box in boxes
        ]
        document = {"shapes": shapes, "imagePath": f"{split}.png"}
        (folder / f"{split}.json").write_text(json.dumps(document), encoding="utf-8")
    name = "/boxes.csv" if kind == "csv" else ""
    places = [f"{s}_ann={s}{name}" for s in ("train", "val")]
    return look(root, f"data_format={kind}", *places, "train_images=train", "val_images=val")


def shares(box: list[float]) -> list[float]:
    return [side / total for side, total in zip(box, (60, 40, 60, 40))]


@pytest.mark.parametrize("kind", ["csv", "labelme"])
def test_corners_are_sound(tmp_path: Path, kind: str) -> None:
    assert not check(tmp_path, kind, BOXES).errors


@pytest.mark.parametrize("kind", ["csv", "labelme"])
def test_shares_instead_of_pixels(tmp_path: Path, kind: str) -> None:
    errors = check(tmp_path, kind, list(map(shares, BOXES))).errors
    assert {(f.code, f.part, f.count) for f in errors} >= {
        ("boxes-normalised", "train", 4), ("boxes-normalised", "val", 4),
    }  # fmt: skip
    assert "got [0.0666" in errors[0].spots[0].got
