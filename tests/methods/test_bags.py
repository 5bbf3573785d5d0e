"""FreeAnchor and AutoAssign against numbers worked by hand and slow, obvious versions."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from otadet.assign import InsideBox
from otadet.boxes import aligned_iou
from otadet.losses import giou_loss, soft_background_loss
from otadet.points import grid_points
from otadet.types import GridLevel, Predictions, Target
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.auto_assign import (
    AutoAssignCriterion,
    PriorPredictions,
    center_weight,
    fitness,
    joint,
)
from otadet_methods.bags import bags_of
from otadet_methods.free_anchor import FreeAnchorCriterion, log_mean_max
from tests.helpers import random_predictions, target

TARGETS = [target((4, 4, 30, 40, 1), (20, 10, 60, 50, 2)), target((10, 30, 50, 62, 0))]
BAG, INSIDE = AnchorBag(5), AnchorBag(None, InsideBox())


def prior() -> Tensor:
    table = torch.tensor([[0.3, -0.2, 1.5, 0.8], [0.0, 0.0, 1.0, 1.0], [-0.5, 0.1, 0.7, 2.0]])
    return table.repeat(2, 1, 1).requires_grad_()


def predictions(seed: int = 0) -> PriorPredictions:
    """Boxes near the objects in places, so that some pass FreeAnchor's threshold."""
    preds = random_predictions(seed=seed)
    boxes = preds.boxes.detach().clone()
    for b, annotated in enumerate(TARGETS):
        for g in range(len(annotated)):
            near = torch.arange(g, len(preds.points), 7)
            shift = torch.linspace(-6, 6, len(near))[:, None]
            boxes[b, near] = annotated.boxes[g] + shift * torch.tensor([1.0, 0.5, -0.5, 1.0])
    plain = vars(replace(preds, boxes=boxes.requires_grad_()))
    return PriorPredictions(**plain, class_prior=prior())


def bag_of(assigner: AnchorBag, preds: Predictions, image: int, gt: int) -> list[int]:
    """Points of an object's bag, from a batch in which it is alone."""
    annotated = TARGETS[image]
    alone = Target(annotated.boxes[gt : gt + 1], annotated.labels[gt : gt + 1])
    one = slice(image, image + 1)
    assert preds.quality_logits is not None
    mine = replace(
        preds, boxes=preds.boxes[one], cls_logits=preds.cls_logits[one],
        quality_logits=preds.quality_logits[one],
    )  # fmt: skip
    return (assigner(mine, [alone]).gt_index[0] == 0).nonzero().flatten().tolist()


def iou_of(preds: Predictions, b: int, a: int, box: Tensor) -> float:
    return float(aligned_iou(preds.boxes[b, a].detach(), box))


def slow_background(p: Tensor, degree: Tensor) -> Tensor:
    """Sum of ``-q^2 log(1 - q)`` with ``q = p (1 - degree)``."""
    q = (p * (1 - degree)).double()
    return -(q.square() * torch.log(1 - q)).sum()


def slow_free_anchor(preds: Predictions) -> Tensor:
    objects = sum(len(t) for t in TARGETS)
    total = torch.zeros((), dtype=torch.float64)
    degree = torch.zeros(preds.cls_logits.shape)
    for b, annotated in enumerate(TARGETS):
        for g in range(len(annotated)):
            box, label = annotated.boxes[g], int(annotated.labels[g])
            above = below = torch.zeros((), dtype=torch.float64)
            for a in bag_of(BAG, preds, b, g):
                loss = giou_loss(preds.boxes[b, a][None], box[None])[0]
                x = (preds.cls_logits[b, a, label].sigmoid() * torch.exp(-2 * loss)).double()
                above, below = above + x / (1 - x), below + 1 / (1 - x)
            total = total - 0.5 * torch.log(above / below) / objects
            ious = [iou_of(preds, b, a, box) for a in range(len(preds.points))]
            for a, iou in enumerate(ious):
                share = min(1.0, max(0.0, (iou - 0.6) / (max(ious) - 0.6)))
                degree[b, a, label] = max(float(degree[b, a, label]), share)
    assert int((degree > 0).sum()) > 5 and float(degree.max()) == 1.0
    return total + 0.5 * slow_background(preds.cls_logits.sigmoid(), degree) / (5 * objects)


def slow_auto_assign(preds: PriorPredictions) -> Tensor:
    assert preds.quality_logits is not None
    objects = sum(len(t) for t in TARGETS)
    total = torch.zeros((), dtype=torch.float64)
    joint_p = preds.cls_logits.sigmoid() * preds.quality_logits.sigmoid()[..., None]
    degree = torch.zeros(preds.cls_logits.shape)
    for b, annotated in enumerate(TARGETS):
        for g in range(len(annotated)):
            box, label = annotated.boxes[g], int(annotated.labels[g])
            mean, width = preds.class_prior[0, label, :2], preds.class_prior[0, label, 2:]
            weights: list[Tensor] = []
            values: list[Tensor] = []
            members = bag_of(INSIDE, preds, b, g)
            odds = [1 / (1 - iou_of(preds, b, a, box)) for a in members]
            for a, odd in zip(members, odds):
                loss = giou_loss(preds.boxes[b, a][None], box[None])[0]
                value = (joint_p[b, a, label] * torch.exp(-5 * loss)).double()
                offset = preds.points.xy[a] - (box[:2] + box[2:]) / 2
                z = (offset / preds.points.stride[a] - mean) / width
                weights.append(torch.exp(3 * value) * torch.exp(-z.square().sum() / 2))
                values.append(value)
                share = (odd - min(odds)) / (max(odds) - min(odds))
                degree[b, a, label] = max(float(degree[b, a, label]), share)
            weight, value = torch.stack(weights), torch.stack(values)
            total = total - 0.25 * torch.log((weight / weight.sum() * value).sum()) / objects
    return total + 0.75 * slow_background(joint_p, degree) / (12 * objects)


def check(fast: Tensor, slow: Tensor, leaves: Sequence[Tensor]) -> None:
    assert fast.item() == pytest.approx(slow.item(), rel=1e-5)
    mine = torch.autograd.grad(fast, leaves)
    theirs = torch.autograd.grad(slow, leaves)
    for a, b in zip(mine, theirs):
        assert bool((a != 0).any())
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_free_anchor_equals_the_slow_version(seed: int) -> None:
    preds = predictions(seed)
    report = FreeAnchorCriterion(BAG, bag_size=5)(preds, TARGETS)
    assert report.positives.item() == 3
    check(report.total, slow_free_anchor(preds), [preds.cls_logits, preds.boxes])


@pytest.mark.parametrize("seed", [0, 1])
def test_auto_assign_equals_the_slow_version(seed: int) -> None:
    preds = predictions(seed)
    assert preds.quality_logits is not None
    report = AutoAssignCriterion(INSIDE)(preds, TARGETS)
    leaves = [preds.cls_logits, preds.boxes, preds.quality_logits, preds.class_prior]
    check(report.total, slow_auto_assign(preds), leaves)


def test_mean_max_by_hand() -> None:
    # 0.2 and 0.6 weigh 1 / 0.8 = 1.25 and 1 / 0.4 = 2.5: (0.25 + 1.5) / 3.75 = 0.4667.
    x = torch.tensor([[0.2, 0.6, 0.9], [0.3, 0.5, 0.5]])
    valid = torch.tensor([[True, True, False], [True, False, False]])
    assert log_mean_max(x.log(), valid).exp().tolist() == pytest.approx([1.75 / 3.75, 0.3])
    # Near the mean of small values, near the largest of which one is close to 1.
    small = torch.tensor([[0.001, 0.003]]).log()
    large = torch.tensor([[0.001, 0.99999]]).log()
    both = torch.ones(1, 2, dtype=torch.bool)
    assert log_mean_max(small, both).exp().item() == pytest.approx(0.002, rel=2e-3)
    assert log_mean_max(large, both).exp().item() == pytest.approx(1, abs=1e-4)


def test_soft_background_by_hand() -> None:
    # p = 0.5, half positive: 0.25^2 * -log 0.75 = 0.01798; wholly: nothing; not at all:
    # 0.25 * 0.6931 = 0.1733.
    half = torch.tensor([0.5, 0.5, 0.5]).log()
    loss = soft_background_loss(half, half, torch.tensor([0.5, 1.0, 0.0]))
    assert loss.tolist() == pytest.approx([0.0625 * -math.log(0.75), 0.0, 0.25 * math.log(2)])


def test_joint_probability_at_the_ends() -> None:
    first = torch.tensor([0.0, 200.0, 200.0, -200.0])
    second = torch.tensor([0.0, 200.0, -200.0, -200.0])
    log_p, log_not_p = joint(first, second)
    # 0.25; 1 - 2 e^-200; e^-200; e^-400: far beyond what 1 - p could hold.
    assert log_p.tolist() == pytest.approx([math.log(0.25), 0.0, -200.0, -400.0])
    expected = [math.log(0.75), math.log(2) - 200, 0.0, 0.0]
    assert log_not_p.tolist() == pytest.approx(expected, abs=1e-5)


def hand_case(iou: Sequence[float]) -> PriorPredictions:
    """Four points of stride 8 in a box of 16 px, with boxes of known IoU."""
    points = grid_points([GridLevel(2, 2, 8)])
    boxes = torch.tensor([[0.0, 0.0, 16.0, 16.0 * v] for v in iou])
    return PriorPredictions(
        boxes[None], torch.zeros(1, 4, 1), torch.zeros(1, 4), torch.zeros(1, 4, 4), points,
        class_prior=torch.tensor([[[0.5, 0.0, 1.0, 2.0]]]),
    )  # fmt: skip


def test_center_weight_and_fitness_by_hand() -> None:
    preds = hand_case((0.5, 0.75, 0.8, 0.0))
    bags = bags_of(INSIDE, preds, [target((0, 0, 16, 16, 0))])
    assert bags.valid.all() and bags.point.tolist() == [[0, 1, 2, 3]]
    # Points lie half a stride from the centre either way; x has mean 0.5 and width 1, y 0 and 2:
    # left -((-1)^2 + 0.25^2) / 2, right -(0 + 0.25^2) / 2.
    left, right = -(1 + 0.0625) / 2, -0.0625 / 2
    weight = center_weight(bags, preds.class_prior)
    assert weight[0].tolist() == pytest.approx([left, right, left, right])
    # 1 / (1 - IoU) = 2, 4, 5, 1: from 1 to 5.
    assert fitness(bags)[0].tolist() == pytest.approx([0.25, 0.75, 1.0, 0.0], abs=1e-5)


def test_points_that_all_fit_alike_are_positive_alike() -> None:
    bags = bags_of(INSIDE, hand_case((0.5,) * 4), [target((0, 0, 16, 16, 0))])
    assert fitness(bags)[0].tolist() == [1.0] * 4


def test_a_head_without_class_prior_is_named() -> None:
    preds = random_predictions()
    with pytest.raises(ValueError, match="got Predictions, quality_logits=given"):
        AutoAssignCriterion(INSIDE)(preds, TARGETS)
