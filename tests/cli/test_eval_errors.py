"""``tools/eval.py --errors``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otadet.cli.eval import main as evaluate
from otadet.cli.eval_errors import FILE, report_errors
from otadet.data import ShapesDataset
from otadet.evaluation import build_evaluator
from otadet.outputs import Inputs, OutputFolder
from otadet.types import Detections
from tests.export.networks import checkpoint

DATA = ShapesDataset(12, seed=1, crowding=0.0)
NAMES = [DATA.ground_truth(i).file_name for i in range(12)]


def report_on(shifted: set[int], lost: set[int], folder: Path) -> dict[str, Any]:
    """Report on exact detections, but in some images the first box is beside its object or lost."""
    gts = [DATA.ground_truth(i) for i in range(12)]
    evaluator = build_evaluator(gts, DATA.class_names, ("coco",), 100)
    for i, gt in enumerate(gts):
        boxes = torch.from_numpy(gt.boxes.copy())
        if i in shifted:  # to an IoU of 0.25
            boxes[0, [0, 2]] += 0.6 * (boxes[0, 2] - boxes[0, 0])
        keep = torch.arange(len(boxes)) >= (i in lost)
        scores, labels = torch.linspace(0.9, 0.8, len(boxes)), torch.from_numpy(gt.labels)
        evaluator.update(gt.image_id, Detections(boxes[keep], scores[keep], labels[keep]))
    report_errors(evaluator, OutputFolder(folder, Inputs([])))
    found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {**found, "AP": evaluator.compute().metrics["AP"]}


def test_errors_that_were_made_are_found(tmp_path: Path) -> None:
    found = report_on({2, 7}, {4}, tmp_path)
    kinds = {row["kind"]: (row["count"], row["ap50_lost"] > 0) for row in found["kinds"]}
    assert kinds == {
        "class": (0, False), "location": (2, True), "both": (0, False), "duplicate": (0, False),
        "background": (0, False), "missed": (1, True),
    }  # fmt: skip
    low, high = found["ap_interval"]
    assert 0.5 < low < found["AP"] < high <= 1
    wrong = {row["image"]: (row["false"], row["missed"]) for row in found["worst_images"]}
    assert wrong == {NAMES[2]: (1, 1), NAMES[7]: (1, 1), NAMES[4]: (0, 1)}


def test_without_errors_nothing_is_found(tmp_path: Path) -> None:
    found = report_on(set(), set(), tmp_path)
    assert sum(row["count"] for row in found["kinds"]) == 0 and found["worst_images"] == []
    assert found["ap_interval"] == pytest.approx([1.0, 1.0])


def test_the_command(tmp_path: Path) -> None:
    words = ["-c", str(checkpoint(tmp_path)), "-d", "cpu", "-o", str(tmp_path / "out"), "--errors"]
    words += ["shapes_classes=circle,square,star", "shapes_val=6", "test_size=96,96"]
    assert evaluate(words) == 0
    rows = json.loads((tmp_path / "out" / FILE).read_text(encoding="utf-8"))["worst_images"]
    assert rows and all(np.isfinite(row["f1"]) for row in rows)
