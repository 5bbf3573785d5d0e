"""Weights of positives and soft labels, by hand and against a slow version."""

import pytest
import torch

from otadet.assign import OTA
from otadet.criteria import (
    FCOSCriterion,
    Matched,
    Weighing,
    matched_targets,
)
from otadet.losses import bce_loss, focal_loss_rows, giou_loss, sigmoid_focal_loss
from otadet.points import grid_points
from otadet.types import Assignment, GridLevel, Predictions
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.point_weights import CenterWeight, Cleanliness
from tests.helpers import random_predictions, target

TARGETS = [target((4, 4, 30, 40, 1), (20, 10, 60, 50, 2)), target((10, 30, 50, 62, 0))]


def matched(preds: Predictions, index: list[int], iou: list[float]) -> Matched:
    assignment = Assignment(torch.tensor([index]), torch.tensor([iou]))
    boxes, labels = matched_targets(assignment, [target((0, 0, 20, 12, 0))])
    return Matched(preds, assignment, boxes, labels)


def row_of_points(logits: list[float]) -> Predictions:
    points = grid_points([GridLevel(1, len(logits), 8)])
    shape = (1, len(logits), 4)
    return Predictions(
        torch.zeros(shape), torch.tensor(logits)[None, :, None], None, torch.zeros(shape), points
    )


def test_center_weight_by_hand() -> None:
    # Points at (4, 4), (12, 4), (20, 4) in a box of 20 x 12: sides 4, 4, 16, 8; 12, 4, 8, 8; 20, 4,
    # 0, 8. (4 / 16) (4 / 8) = 0.125, (8 / 12) (4 / 8) = 0.333, on the border 0.
    case = matched(row_of_points([0.0] * 3), [0, 0, 0], [0.5] * 3)
    assert CenterWeight()(case).point[0].tolist() == pytest.approx([1 / 8, 1 / 3, 0.0])
    assert CenterWeight(2)(case).point[0].tolist() == pytest.approx([1 / 64, 1 / 9, 0.0])


def test_cleanliness_by_hand() -> None:
    # Scores 0.5 and 0.5, IoU 0.5 and 0.8. Soft labels 0.75 * 0.5 + 0.25 * 0.5 = 0.5 and
    # 0.75 * 0.8 + 0.125 = 0.725. Weights 0.75 * 2 + 0.25 * 2 = 2 and 0.75 * 5 + 0.5 = 4.25, over
    # their mean of 3.125: 0.64 and 1.36. The third point is background.
    case = matched(row_of_points([0.0, 0.0, 3.0]), [0, 0, -1], [0.5, 0.8, 0.0])
    found = Cleanliness()(case)
    assert found.goal is not None
    assert found.goal[0, :2].tolist() == pytest.approx([0.5, 0.725])
    assert found.point[0].tolist() == pytest.approx([0.64, 1.36, 0.0])


def test_a_perfect_box_does_not_take_all_the_weight() -> None:
    # 1 - IoU counts as 0.01 at least: 0.75 * 100 + 0.25 * 2 = 75.5 against 2, mean 38.75.
    case = matched(row_of_points([0.0, 0.0]), [0, 0], [1.0, 0.5])
    expected = [75.5 / 38.75, 2 / 38.75]
    assert Cleanliness()(case).point[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("weigh", [CenterWeight(), Cleanliness()])
def test_weighted_loss_equals_the_slow_version(weigh: Weighing) -> None:
    preds = random_predictions()
    report = FCOSCriterion(AnchorBag(6), weigh=weigh)(preds, TARGETS)
    assignment = AnchorBag(6)(preds, TARGETS)
    boxes, labels = matched_targets(assignment, TARGETS)
    weights = weigh(Matched(preds, assignment, boxes, labels))
    total, norm = torch.zeros(()), 0.0
    assert preds.quality_logits is not None
    for b in range(2):
        for a in range(len(preds.points)):
            label = int(labels[b, a])
            logits = preds.cls_logits[b, a]
            if label < 0:
                total = total + sigmoid_focal_loss(logits, torch.zeros(3)).sum()
                continue
            weight = float(weights.point[b, a])
            norm += weight
            one = torch.zeros(3)
            one[label] = 1
            cls = sigmoid_focal_loss(logits, one)
            if weights.goal is not None:
                cls[label] = bce_loss(logits[label], weights.goal[b, a])
            box = giou_loss(preds.boxes[b, a][None], boxes[b, a][None]).sum()
            quality = bce_loss(preds.quality_logits[b, a], assignment.iou[b, a])
            total = total + weight * (cls.sum() + 2 * box + 0.5 * quality)
    assert report.positives.item() == pytest.approx(norm, rel=1e-5)
    assert report.total.item() == pytest.approx(total.item() / max(1, norm), rel=1e-5)
    inputs = [preds.deltas, preds.cls_logits, preds.quality_logits]
    mine = torch.autograd.grad(report.total, inputs, retain_graph=True)
    theirs = torch.autograd.grad(total / max(1, norm), inputs)
    for a, b in zip(mine, theirs):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)


def test_weights_of_one_change_nothing() -> None:
    class Same(CenterWeight):
        def __call__(self, matched):
            return type(super().__call__(matched))(torch.ones_like(matched.assignment.iou))

    preds = random_predictions()
    plain = FCOSCriterion(OTA())(preds, TARGETS)
    same = FCOSCriterion(OTA(), weigh=Same())(preds, TARGETS)
    assert plain.total.item() == same.total.item()
    assert plain.positives.item() == same.positives.item()


def test_rows_that_do_not_count_are_zero() -> None:
    logits = torch.tensor([[1.0, -2.0], [0.5, 0.5]])
    rows = focal_loss_rows(logits, torch.tensor([-2, 1]), torch.tensor([0.3, 0.6]))
    other = sigmoid_focal_loss(logits[1, :1], torch.zeros(1)).item()
    expected = other + bce_loss(logits[1, 1], torch.tensor(0.6)).item()
    assert rows.tolist() == pytest.approx([0.0, expected])
