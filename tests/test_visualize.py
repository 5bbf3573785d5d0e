"""Images: what is drawn is where it should be, and nothing else is touched."""

import json
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from otadet.points import grid_points
from otadet.types import Assignment, GridLevel
from otadet.visualize import class_color, draw_assignment, draw_boxes, draw_curves, side_by_side
from otadet.visualize.boxes import viewable
from tests.helpers import target


def test_a_box_is_drawn_in_its_classes_colour_and_the_input_stays() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    drawn = draw_boxes(
        image, torch.tensor([[50.0, 60.0, 150.0, 160.0]]), torch.tensor([1]), ["cat", "dog"]
    )
    assert not image.any()
    assert tuple(int(v) for v in drawn[160, 100]) == class_color(1)  # bottom edge
    assert not drawn[110, 100].any() and not drawn[190, 290].any()  # inside and far away


def test_labels_stay_inside_tiny_and_large_images() -> None:
    for size in ((1, 1), (12, 9), (3000, 2000)):
        image = np.zeros((*size, 3), np.uint8)
        box = torch.tensor([[0.0, 0.0, float(size[1]), float(size[0])]])
        drawn = draw_boxes(image, box, torch.tensor([0]), ["a very long class name"],
                           torch.tensor([0.9]))  # fmt: skip
        assert drawn.shape == image.shape and drawn.any()


def test_labels_of_a_heap_of_boxes_take_no_time() -> None:
    """All labels want one place, which has room for a few."""
    boxes = torch.tensor([[10.0, 10.0, 20.0, 20.0]]).repeat(30_000, 1)
    labels = torch.zeros(30_000, dtype=torch.int64)
    begin = time.process_time()
    draw_boxes(np.zeros((100, 160, 3), np.uint8), boxes, labels, ["ant"])
    assert time.process_time() - begin < 5


def test_the_best_detection_is_drawn_last() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    boxes = torch.tensor([[20.0, 40.0, 80.0, 80.0], [20.0, 40.0, 80.0, 80.0]])
    drawn = draw_boxes(
        image, boxes, torch.tensor([0, 1]), ["a", "b"], scores=torch.tensor([0.9, 0.2])
    )
    assert tuple(int(v) for v in drawn[80, 50]) == class_color(0)


def test_colours_of_neighbouring_classes_differ() -> None:
    colors = [np.array(class_color(i)) for i in range(80)]
    assert all(np.abs(a - b).sum() > 80 for a, b in pairwise(colors))
    assert class_color(5) == class_color(5)


def test_points_are_drawn_at_their_place_in_the_colour_of_their_object() -> None:
    points = grid_points([GridLevel(80, 80, 8)])
    index = torch.full((1, len(points)), -1)
    index[0, 40 * 80 + 20] = 1  # row 40, column 20: x = 164, y = 324
    assignment = Assignment(index, torch.zeros(1, len(points)))
    gt = target((300, 300, 400, 400, 0), (100, 250, 250, 400, 0))
    drawn = draw_assignment(np.zeros((640, 640, 3), np.uint8), points, assignment, gt)
    assert tuple(int(v) for v in drawn[324, 164]) == class_color(1)
    assert tuple(int(v) for v in drawn[350, 350]) == class_color(0)  # the cross: nothing received
    assert tuple(int(v) for v in drawn[600, 600]) == (96, 96, 96)


def test_side_by_side() -> None:
    left, right = np.full((40, 50, 3), 10, np.uint8), np.full((40, 50, 3), 200, np.uint8)
    both = side_by_side(left, right, ("ground truth", "detections"))
    assert (both[-40:, :50] == 10).all() and (both[-40:, -50:] == 200).all()


def test_curves_are_an_image(tmp_path: Path) -> None:
    lines = [{"step": s, "kind": "train", "loss": 1 / s, "cls": 0.1} for s in range(1, 20)]
    lines.append({"step": 20, "kind": "val", "AP": 0.5, "AP50": 0.7})
    (tmp_path / "m.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8"
    )
    assert draw_curves(tmp_path / "m.jsonl", tmp_path / "c.png")
    drawn = cv2.imread(str(tmp_path / "c.png"))
    assert drawn is not None and drawn.std() > 5


@pytest.mark.parametrize("val_loss", [True, False])
def test_curves_of_any_criterion_and_evaluator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, val_loss: bool
) -> None:
    """Terms and the best metric by whatever names; other numbers of a step are no terms."""
    from matplotlib.figure import Figure

    drawn: dict[str, list[str]] = {}

    def keep(figure: Figure, *_: object, **__: object) -> None:
        for axes in figure.axes:
            drawn[axes.get_title()] = [str(line.get_label()) for line in axes.lines]

    monkeypatch.setattr(Figure, "savefig", keep)
    terms = {"bag": 0.1, "background": 0.2}
    lines: list[dict[str, object]] = [
        {"step": s, "kind": "train", "loss": 0.3, **terms, "grad_norm": 9.0, "lr": 0.1}
        for s in range(1, 4)
    ]
    measured = {"loss": 0.4, **terms} if val_loss else {}
    lines.append({"step": 3, "kind": "val", "F1": 0.5, "errors": 7.0, **measured})
    (tmp_path / "m.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8"
    )
    known = () if val_loss else terms
    assert draw_curves(tmp_path / "m.jsonl", tmp_path / "c.png", known, "errors")
    names = ["loss", "bag", "background"]
    both = [label for name in names for label in (name, f"{name}, validation")]
    assert drawn["loss"] == (both if val_loss else names)
    assert drawn["validation"] == ["errors"]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((100, 200), (480, 960)), ((600, 700), (600, 700)), ((3, 900), (53, 16_000)),
     ((4, 40_000), (2, 16_000))],
)  # fmt: skip
def test_viewable_images_fit_into_a_file(size: tuple[int, int], shown: tuple[int, int]) -> None:
    image, factor = viewable(np.zeros((*size, 3), np.uint8), shortest=480)
    assert image.shape == (*shown, 3) and factor == pytest.approx(shown[1] / size[1], rel=1e-3)


def test_labels_are_in_proportion_and_can_be_left_out() -> None:
    """A label over a car of 27 px is not 150 px wide; among many there is none."""
    image = np.zeros((800, 1200, 3), np.uint8)
    few = torch.tensor([[600.0, 400, 627, 418]])
    labels, scores = torch.zeros(1, dtype=torch.int64), torch.tensor([0.9])

    def drawn_beside(boxes: torch.Tensor, **options: object) -> int:
        count = len(boxes)
        drawn = draw_boxes(
            image, boxes, labels.expand(count), ["car"], scores.expand(count), **options
        )
        for x1, y1, x2, y2 in boxes.int().tolist():
            drawn[y1 - 2 : y2 + 3, x1 - 2 : x2 + 3] = 0
        return int(np.ptp(drawn.any(axis=(0, 2)).nonzero()[0])) if drawn.any() else 0

    assert 20 < drawn_beside(few) < 80
    assert drawn_beside(few, text="off") == 0
    grid = torch.tensor([[float(x), float(y), x + 15.0, y + 12.0]
                         for x in range(50, 1000, 90) for y in range(50, 700, 90)])  # fmt: skip
    assert drawn_beside(grid) == 0
    large = torch.cat([grid, torch.tensor([[300.0, 300, 700, 700]])])
    assert drawn_beside(large) > 30
    thin, thick = (
        draw_boxes(image, few, labels, ["car"], text="off", width=width).any(axis=2).sum()
        for width in (1, 9)
    )
    assert thick > 4 * thin
