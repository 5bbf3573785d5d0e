"""Elementwise losses, without reduction and independent of assignment.

Everything is computed in float32, also under autocast: a focal term of a confident background
logit is far below what half precision can hold.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from otadet.boxes import area

GIOU_EPS = 1e-7
"""Added to the areas that :func:`giou_loss` divides by (torchvision)."""


def focal_terms(logits: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> tuple[Tensor, Tensor]:
    """Compute the focal loss (Lin et al. 2017, eq. 5) of each logit for both labels.

    Args:
        logits: any shape.
        alpha: weight of the positive label; the negative one weighs ``1 - alpha``.
        gamma: focusing power.

    Returns:
        ``(positive, negative)``, float32, shape of ``logits``: the loss if the label is 1, if 0.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    positive = -alpha * (1 - p).pow(gamma) * F.logsigmoid(logits)
    negative = (1 - alpha) * p.pow(gamma) * F.softplus(logits)
    return positive, negative


def focal_background(logits: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Compute the focal loss ``[N]`` of ``logits [N, C]`` as background, summed over classes.

    Written with ``softplus(x) = x - log(p)``, which on a CPU takes half the time. The difference
    loses digits only where ``x`` is far below 0, and there it is multiplied by a tiny ``p^gamma``.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    entropy = logits - p.clamp(min=torch.finfo(p.dtype).tiny).log_()
    return p.pow(gamma).mul_(entropy).sum(dim=-1) * (1 - alpha)


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Compute the focal loss of ``logits`` with ``targets`` in {0, 1}; float32, same shape."""
    positive, negative = focal_terms(logits, alpha, gamma)
    return torch.where(targets > 0, positive, negative)


def focal_loss_rows(
    logits: Tensor,
    labels: Tensor,
    goal: Tensor | None = None,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """Compute the focal loss of one label per row, summed over classes, without one-hot labels.

    Every logit is charged as background, then the difference is added where a row has a class:
    one pass over the logits, and no step whose size depends on the values.

    Args:
        logits: ``[..., C]``.
        labels: ``[...]`` int64: a class, -1 for background, -2 for an ignored row.
        goal: ``[...]`` in [0, 1]: soft target of the row's own class, by binary cross entropy
            instead of focal loss with target 1.
        alpha: weight of positives, ``1 - alpha`` that of background.
        gamma: exponent that weakens easy labels.

    Returns:
        ``[...]`` float32, 0 in ignored rows; without ``goal`` their sum is
        ``sigmoid_focal_loss(logits, one_hot)[labels != -2].sum()``.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    background = ((1 - alpha) * p.pow(gamma) * F.softplus(logits)).sum(dim=-1)
    own = logits.gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
    positive_if, negative_if = focal_terms(own, alpha, gamma)
    if goal is not None:
        positive_if = bce_loss(own, goal)
    change = torch.where(labels >= 0, positive_if - negative_if, 0.0)
    return torch.where(labels > -2, background + change, 0.0)


def focal_loss_sum(
    logits: Tensor, labels: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Sum :func:`focal_loss_rows` to a float32 scalar."""
    return focal_loss_rows(logits, labels, None, alpha, gamma).sum()


def soft_background_loss(
    log_p: Tensor, log_not_p: Tensor, positive: Tensor, gamma: float = 2.0
) -> Tensor:
    """Compute the focal loss towards 0 of the probability ``p (1 - positive)``, without ``alpha``.

    Something that is positive to a degree is background to the rest (FreeAnchor, Zhang et al.
    2019; AutoAssign, Zhu et al. 2020). In logarithms, and so exact where ``p`` rounds to 0 or 1.

    Args:
        log_p: logarithm of the probability ``p``, float32, any shape.
        log_not_p: logarithm of ``1 - p``.
        positive: in [0, 1], same shape; 0 gives ``-p^gamma log(1 - p)``.
        gamma: exponent that weakens easy labels.

    Returns:
        Float32, same shape.
    """
    # log(1 - p (1 - w)) = log((1 - p) + w p); -inf where w is 0, which adds nothing.
    entropy = -torch.logaddexp(log_not_p, positive.log() + log_p)
    return (log_p.exp() * (1 - positive)).pow(gamma) * entropy


def bce_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute binary cross entropy with (possibly soft) ``targets``; float32, same shape."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Compute ``1 - GIoU`` ``[...]`` of aligned boxes ``[..., 4]``, float32.

    Rezatofighi et al. 2019. Equal to torchvision's, with its epsilon, but without its masks, which
    synchronise ten times in a step, backward pass included.
    """
    a, b = predicted.float(), target.float()
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    overlap = area(torch.cat([low, high], dim=-1))
    union = _signed_area(a) + _signed_area(b) - overlap
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = _signed_area(torch.cat([low, high], dim=-1))
    return 1 - (overlap / (union + GIOU_EPS) - (hull - union) / (hull + GIOU_EPS))


def _signed_area(boxes: Tensor) -> Tensor:
    width, height = (boxes[..., 2:] - boxes[..., :2]).unbind(dim=-1)
    return width * height


def box_l1_loss(predicted: Tensor, target: Tensor, size: Tensor) -> Tensor:
    """Compute the L1 distance ``[...]`` of centre, width and height of aligned boxes.

    Boxes are xyxy; the unit is ``size [2]``, width and height of the input (Carion et al. 2020,
    eq. 2). Float32.
    """
    apart = (predicted.float() - target.float()) / size.repeat(2)
    corner, other = apart[..., :2], apart[..., 2:]
    return ((corner + other) / 2).abs().sum(dim=-1) + (other - corner).abs().sum(dim=-1)
