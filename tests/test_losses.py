"""Losses against numbers worked by hand, torchvision, and finite differences."""

import math

import pytest
import torch
import torchvision

from otadet import losses


def test_focal_by_hand() -> None:
    positive, negative = losses.focal_terms(torch.tensor([0.0]))
    assert positive.item() == pytest.approx(0.25 * 0.25 * math.log(2))
    assert negative.item() == pytest.approx(0.75 * 0.25 * math.log(2))


def test_focal_equals_torchvision() -> None:
    logits = torch.linspace(-8, 8, 40).view(8, 5)
    targets = (torch.arange(40).view(8, 5) % 3 == 0).float()
    expected = torchvision.ops.sigmoid_focal_loss(logits, targets)
    assert torch.allclose(losses.sigmoid_focal_loss(logits, targets), expected, atol=1e-6)


def test_focal_sum_equals_the_dense_sum_without_ignored_rows() -> None:
    logits = torch.randn((2, 30, 7), generator=torch.Generator().manual_seed(1)) * 3
    logits.requires_grad_()
    labels = torch.randint(-2, 7, (2, 30), generator=torch.Generator().manual_seed(2))
    one_hot = torch.nn.functional.one_hot(labels.clamp(min=0), 7) * (labels >= 0)[..., None]
    dense = losses.sigmoid_focal_loss(logits, one_hot)[labels > -2].sum()
    (expected,) = torch.autograd.grad(dense, logits)
    mine = losses.focal_loss_sum(logits, labels)
    (gradient,) = torch.autograd.grad(mine, logits)
    assert mine.item() == pytest.approx(dense.item(), rel=1e-5)
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert (gradient[labels == -2] == 0).all()


def test_giou_is_torchvisions_with_its_gradient() -> None:
    """Boxes that overlap, touch, are apart, are the same, and have no area."""
    corner = torch.rand((200, 2), generator=torch.Generator().manual_seed(3)) * 30
    size = torch.rand((200, 2), generator=torch.Generator().manual_seed(4)) * 40
    boxes = torch.cat([corner, corner + size], dim=1)
    fixed = [(0, 0, 10, 10), (10, 0, 20, 10), (50, 50, 60, 60), (5, 5, 5, 5), (5, 5, 5, 5)]
    first = torch.cat([boxes[:100], torch.tensor(fixed).float()]).requires_grad_()
    second = torch.cat([boxes[100:], torch.tensor(fixed).float().roll(1, 0)])
    expected = torchvision.ops.generalized_box_iou_loss(first, second)
    mine = losses.giou_loss(first, second)
    assert torch.allclose(mine, expected, atol=1e-6)
    wanted, got = (torch.autograd.grad(v[:-5].sum(), first)[0] for v in (expected, mine))
    assert torch.allclose(got, wanted, atol=1e-6)


@pytest.mark.parametrize("logit", [-200.0, -80.0, 80.0, 200.0])
def test_focal_stays_finite_at_extreme_logits(logit: float) -> None:
    value = torch.tensor([[logit]], requires_grad=True)
    total = losses.focal_loss_sum(value, torch.tensor([0]))
    total.backward()
    assert total.isfinite() and value.grad is not None and value.grad.isfinite().all()


def test_half_precision_logits_are_computed_in_float32() -> None:
    logits = torch.tensor([-9.0], dtype=torch.bfloat16)
    _, negative = losses.focal_terms(logits)
    assert negative.dtype == torch.float32
    p = 1 / (1 + math.exp(9))
    assert negative.item() == pytest.approx(0.75 * p * p * math.log1p(math.exp(-9)), rel=1e-4)


def test_box_losses_by_hand() -> None:
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    b = torch.tensor([[5.0, 0.0, 15.0, 10.0]])
    assert losses.giou_loss(a, b).item() == pytest.approx(1 - 1 / 3)  # the hull is the union
    far = torch.tensor([[20.0, 0.0, 30.0, 10.0]])
    assert losses.giou_loss(a, far).item() == pytest.approx(1 + 100 / 300)


def test_bce_by_hand() -> None:
    value = losses.bce_loss(torch.tensor([0.0]), torch.tensor([0.25]))
    assert value.item() == pytest.approx(math.log(2))
