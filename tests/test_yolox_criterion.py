"""The YOLOX criterion against a slow, obvious version."""

import dataclasses
import math
from typing import Literal

import pytest
import torch

from otadet.assign import OTA, SimOTA
from otadet.boxes import aligned_iou, boxes_from_cells, cells_from_boxes
from otadet.criteria import YOLOXCriterion
from otadet.losses import bce_loss
from otadet.points import grid_points
from otadet.types import Assignment, GridLevel, Predictions, Target
from tests.helpers import target

TARGETS = [target((4, 4, 30, 40, 1), (20, 10, 60, 50, 2)), target((10, 30, 50, 62, 0))]
NOTHING = [target(), target()]


def predictions(seed: int = 0) -> Predictions:
    g = torch.Generator().manual_seed(seed)
    points = grid_points([GridLevel(64 // s, 64 // s, s) for s in (8, 16, 32)])
    deltas = torch.randn((2, len(points), 4), generator=g).requires_grad_()
    return Predictions(
        boxes=boxes_from_cells(points.xy, points.stride, deltas),
        cls_logits=torch.randn((2, len(points), 3), generator=g).requires_grad_(),
        quality_logits=torch.randn((2, len(points)), generator=g).requires_grad_(),
        deltas=deltas,
        points=points,
    )


def leaves(preds: Predictions) -> list[torch.Tensor]:
    assert preds.quality_logits is not None
    return [preds.deltas, preds.cls_logits, preds.quality_logits]


def slow_loss(
    preds: Predictions, targets: list[Target], assignment: Assignment, l1: bool, objectness: str
) -> torch.Tensor:
    assert preds.quality_logits is not None
    total = torch.zeros(())
    for b, objects in enumerate(targets):
        for a, stride in enumerate(preds.points.stride.tolist()):
            gt = int(assignment.gt_index[b, a])
            if gt == -2:
                continue
            if gt < 0:
                total = total + bce_loss(preds.quality_logits[b, a], torch.tensor(0.0))
                continue
            iou = aligned_iou(preds.boxes[b, a], objects.boxes[gt])
            found = torch.tensor(1.0) if objectness == "one" else iou.detach()
            total = total + bce_loss(preds.quality_logits[b, a], found)
            goal = torch.zeros(preds.num_classes)
            goal[objects.labels[gt]] = iou.detach()
            total = total + 5 * (1 - iou**2) + bce_loss(preds.cls_logits[b, a], goal).sum()
            if l1:
                x1, y1, x2, y2 = objects.boxes[gt].tolist()
                corner = preds.points.xy[a] - stride / 2
                coded = [
                    ((x1 + x2) / 2 - corner[0].item()) / stride,
                    ((y1 + y2) / 2 - corner[1].item()) / stride,
                    math.log((x2 - x1) / stride),
                    math.log((y2 - y1) / stride),
                ]
                total = total + (preds.deltas[b, a] - torch.tensor(coded)).abs().sum()
    return total / max(1, int((assignment.gt_index >= 0).sum()))


@pytest.mark.parametrize("l1", [False, True])
@pytest.mark.parametrize("objectness", ["one", "iou"])
@pytest.mark.parametrize("assigner", [SimOTA(), OTA()], ids=["simota", "ota"])
def test_equals_the_slow_version_with_gradients(
    assigner: OTA | SimOTA, objectness: Literal["one", "iou"], l1: bool
) -> None:
    preds = predictions()
    ignoring = dataclasses.replace(TARGETS[1], ignore_boxes=torch.tensor([[0.0, 0.0, 64.0, 24.0]]))
    targets = [TARGETS[0], ignoring]
    assignment = assigner(preds, targets)
    assert {-2, -1} <= set(assignment.gt_index.unique().tolist())
    report = YOLOXCriterion(assigner, l1=l1, objectness=objectness)(preds, targets)
    expected = slow_loss(preds, targets, assignment, l1, objectness)
    assert report.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert list(report.terms) == ["box", "obj", "cls", *["l1"] * l1]
    assert sum(t.item() for t in report.terms.values()) == pytest.approx(report.total.item())
    mine = torch.autograd.grad(report.total, leaves(preds), retain_graph=True)
    theirs = torch.autograd.grad(expected, leaves(preds))
    for a, b in zip(mine, theirs):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("l1", [False, True])
def test_a_batch_without_objects_is_finite(l1: bool) -> None:
    preds = predictions()
    report = YOLOXCriterion(SimOTA(), l1=l1)(preds, NOTHING)
    report.total.backward()
    assert report.total.isfinite() and report.stats["positives"] == 0
    for leaf in leaves(preds):
        assert leaf.grad is not None and leaf.grad.isfinite().all()
    assert preds.quality_logits is not None and preds.quality_logits.grad is not None
    assert (preds.quality_logits.grad > 0).all()  # everything is pushed to background


def test_a_head_without_objectness_is_refused() -> None:
    preds = dataclasses.replace(predictions(), quality_logits=None)
    with pytest.raises(ValueError, match="expected a head with objectness"):
        YOLOXCriterion(SimOTA())(preds, NOTHING)


def test_coding_by_hand_and_back() -> None:
    points = grid_points([GridLevel(2, 2, 8)])  # centres 4 and 12
    deltas = torch.tensor([[0.5, 0.5, 0.0, math.log(2)], [0.0, 1.0, 0.0, 0.0],
                           [-1.0, 0.0, 1.0, 1.0], [0.25, 0.75, -1.0, 2.0]])  # fmt: skip
    boxes = boxes_from_cells(points.xy, points.stride, deltas)
    assert boxes[0].tolist() == pytest.approx([0, -4, 8, 12])  # 8 x 16 around (4, 4)
    assert boxes[1].tolist() == pytest.approx([4, 4, 12, 12])  # around the corners (8, 8)
    assert torch.allclose(cells_from_boxes(points.xy, points.stride, boxes), deltas, atol=1e-6)


def test_coding_stays_finite_at_its_ends() -> None:
    points = grid_points([GridLevel(1, 1, 32)])
    wild = torch.full((1, 4), 1e3)
    assert boxes_from_cells(points.xy, points.stride, wild).isfinite().all()
    flat = torch.tensor([[5.0, 5.0, 5.0, 5.0]])
    assert cells_from_boxes(points.xy, points.stride, flat).isfinite().all()


def test_many_logits_of_half_precision_sum_to_no_nan() -> None:
    """Hundreds of logits of -300 sum to less than the least number of float16."""
    preds = predictions()
    low = torch.full_like(preds.cls_logits, -300.0).detach().half().requires_grad_()
    assert low.sum().isinf()
    report = YOLOXCriterion(SimOTA())(dataclasses.replace(preds, cls_logits=low), TARGETS)
    report.total.backward()
    assert report.total.isfinite()
    assert low.grad is not None and low.grad.isfinite().all()
