"""What the loss of every method promises."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from otadet.exp.methods import METHODS, MethodName
from otadet.types import LossReport, Predictions, Target
from otadet_methods.auto_assign import PriorPredictions
from tests.helpers import random_predictions, target

every = pytest.mark.parametrize("name", METHODS)

TARGETS = [
    target((4, 4, 30, 40, 1), (20, 10, 60, 50, 2), (2, 30, 26, 60, 1)),
    target((10, 30, 50, 62, 0)),
]


def predictions(name: MethodName, seed: int = 0) -> Predictions:
    """Of a head as the method asks for."""
    method = METHODS[name]
    preds = random_predictions(quality=method.quality_of("iou") != "none", seed=seed)
    if name != "autoassign":
        return preds
    table = torch.tensor([[0.1, 0.0, 1.0, 1.0]]).repeat(2, 3, 1)
    return PriorPredictions(**vars(preds), class_prior=table.requires_grad_())


def leaves(preds: Predictions) -> list[Tensor]:
    return [tensor for tensor in preds.tensors() if tensor.is_leaf]


def loss(name: MethodName, preds: Predictions, targets: list[Target]) -> LossReport:
    return METHODS[name].build()(preds, targets)


@every
def test_no_objects(name: MethodName) -> None:
    preds = predictions(name)
    report = loss(name, preds, [target(), target()])
    report.total.backward()
    assert report.total.isfinite() and report.positives == 0
    for leaf in leaves(preds):
        assert leaf.grad is not None and leaf.grad.isfinite().all()
    assert preds.cls_logits.grad is not None
    assert (preds.cls_logits.grad > 0).all()  # everything is pushed to background


@every
def test_every_part_learns(name: MethodName) -> None:
    preds = predictions(name)
    report = loss(name, preds, TARGETS)
    report.total.backward()
    assert report.positives > 0 and report.stats["positives"] > 0
    assert sum(t.item() for t in report.terms.values()) == pytest.approx(report.total.item())
    for leaf in leaves(preds):
        assert leaf.grad is not None and leaf.grad.isfinite().all() and (leaf.grad != 0).any()
    # Somewhere an object's own class is wanted, and boxes are drawn to objects.
    assert preds.cls_logits.grad is not None and (preds.cls_logits.grad < 0).any()


@every
def test_points_of_ignore_regions_learn_nothing(name: MethodName) -> None:
    preds = predictions(name)
    region = torch.tensor([[0.0, 0.0, 40.0, 64.0]])
    gts = [replace(t, ignore_boxes=region) for t in TARGETS]
    index = METHODS[name].assigner(preds, gts).gt_index
    corner = torch.maximum(preds.boxes[..., :2], region[0, :2])
    overlap = (torch.minimum(preds.boxes[..., 2:], region[0, 2:]) - corner).clamp(min=0)
    area = (preds.boxes[..., 2:] - preds.boxes[..., :2]).prod(dim=-1)
    inside = overlap.prod(dim=-1) > (0.5 + 1e-4) * area
    assert (index[inside] == -2).all() and 10 < int(inside.sum()) < index.numel() - 10
    loss(name, preds, gts).total.backward()
    for leaf in (preds.cls_logits, preds.deltas, preds.quality_logits):
        if leaf is not None:
            assert leaf.grad is not None
            assert (leaf.grad[inside] == 0).all()
    assert preds.cls_logits.grad is not None
    outside = ~inside & (index != -2)
    assert (preds.cls_logits.grad[outside] != 0).any()


@every
def test_an_ignore_region_over_everything(name: MethodName) -> None:
    preds = predictions(name)
    whole = torch.tensor([[-200.0, -200.0, 300.0, 300.0]])
    report = loss(name, preds, [replace(t, ignore_boxes=whole) for t in TARGETS])
    report.total.backward()
    assert report.total.item() == 0 and report.positives == 0
    for leaf in leaves(preds):
        assert leaf.grad is not None and (leaf.grad == 0).all()


@every
def test_order_means_nothing(name: MethodName) -> None:
    preds = predictions(name)
    turned = replace(
        preds, boxes=preds.boxes.flip(0), cls_logits=preds.cls_logits.flip(0),
        deltas=preds.deltas.flip(0),
        quality_logits=None if preds.quality_logits is None else preds.quality_logits.flip(0),
    )  # fmt: skip
    others = [Target(t.boxes.flip(0), t.labels.flip(0)) for t in reversed(TARGETS)]
    plain, other = loss(name, preds, TARGETS), loss(name, turned, others)
    assert other.total.item() == pytest.approx(plain.total.item(), rel=1e-5)


@every
def test_parts_of_a_batch_add_up(name: MethodName) -> None:
    """The total times what it was divided by is a sum over images: accumulation relies on it."""
    preds = predictions(name)
    whole = loss(name, preds, TARGETS)
    summed = positives = 0.0
    for image in range(2):
        one = slice(image, image + 1)
        part = replace(
            preds, boxes=preds.boxes[one], cls_logits=preds.cls_logits[one],
            deltas=preds.deltas[one],
            quality_logits=None if preds.quality_logits is None else preds.quality_logits[one],
        )  # fmt: skip
        report = loss(name, part, TARGETS[one])
        summed += report.total.item() * max(1.0, report.positives.item())
        positives += report.positives.item()
    assert positives == pytest.approx(whole.positives.item(), rel=1e-5)
    assert summed == pytest.approx(whole.total.item() * max(1.0, positives), rel=1e-4)


@every
@pytest.mark.parametrize("size", [30.0, 65504.0])
def test_extreme_half_precision_logits(name: MethodName, size: float) -> None:
    """The largest number of float16, both ways; the gradient stays finite."""
    plain = predictions(name)
    rng = torch.Generator().manual_seed(1)
    sign = torch.where(torch.rand(plain.cls_logits.shape, generator=rng) < 0.5, -1.0, 1.0)
    logits = (sign * size).half().requires_grad_()
    quality = None
    if plain.quality_logits is not None:
        quality = (plain.quality_logits.detach().sign() * size).half().requires_grad_()
    preds = replace(plain, cls_logits=logits, quality_logits=quality)
    report = loss(name, preds, TARGETS)
    report.total.backward()
    assert report.total.isfinite()
    for leaf in leaves(preds):
        assert leaf.grad is not None and leaf.grad.isfinite().all()
