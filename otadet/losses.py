"""Elementwise losses, without reduction and without any idea of assignment.

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
    """Focal loss (Lin et al. 2017, eq. 5) of each logit for both possible labels.

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
    """Focal loss ``[N]`` of ``logits [N, C]`` against no class at all, summed over classes.

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
    """Focal loss of ``logits`` against ``targets`` in {0, 1} of the same shape; float32."""
    positive, negative = focal_terms(logits, alpha, gamma)
    return torch.where(targets > 0, positive, negative)


def focal_loss_rows(
    logits: Tensor,
    labels: Tensor,
    goal: Tensor | None = None,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """Focal loss of one label a row, summed over classes, without a tensor of one-hot labels.

    Every logit is charged as background, then the difference is added where a row has a class:
    one pass over the logits, and no step whose size depends on the values.

    Args:
        logits: ``[..., C]``.
        labels: ``[...]`` int64: a class, -1 for background, -2 for a row that does not count.
        goal: ``[...]`` in [0, 1]: the row's own class learns this value by binary cross entropy
            instead of 1 by focal loss.

    Returns:
        ``[...]`` float32, 0 in rows that do not count; without ``goal`` their sum is
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
    """Float32 scalar, the sum of :func:`focal_loss_rows`."""
    return focal_loss_rows(logits, labels, None, alpha, gamma).sum()


def soft_background_loss(
    log_p: Tensor, log_not_p: Tensor, positive: Tensor, gamma: float = 2.0
) -> Tensor:
    """Focal loss towards 0 of the probability ``p (1 - positive)``, without ``alpha``.

    Something that is positive to a degree is background to the rest (FreeAnchor, Zhang et al.
    2019; AutoAssign, Zhu et al. 2020). In logarithms, and so exact where ``p`` rounds to 0 or 1.

    Args:
        log_p: logarithm of the probability ``p``, float32, any shape.
        log_not_p: logarithm of ``1 - p``.
        positive: in [0, 1], same shape; 0 gives ``-p^gamma log(1 - p)``.

    Returns:
        Float32, same shape.
    """
    # log(1 - p (1 - w)) = log((1 - p) + w p); -inf where w is 0, which adds nothing.
    entropy = -torch.logaddexp(log_not_p, positive.log() + log_p)
    return (log_p.exp() * (1 - positive)).pow(gamma) * entropy


def bce_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy of ``logits`` with (possibly soft) ``targets``; float32, same shape."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``1 - GIoU`` ``[...]`` of aligned boxes ``[..., 4]`` (Rezatofighi et al. 2019); float32.

    torchvision's numbers, with its epsilon, but without its masks, whose shapes a GPU would have
    to be asked for, ten times in a step with its derivative.
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
    """L1 distance ``[...]`` of centre, width and height of aligned boxes ``[..., 4]`` xyxy, in
    units of ``size [2]``, width and height of the input (Carion et al. 2020, eq. 2); float32."""
    apart = (predicted.float() - target.float()) / size.repeat(2)
    corner, other = apart[..., :2], apart[..., 2:]
    return ((corner + other) / 2).abs().sum(dim=-1) + (other - corner).abs().sum(dim=-1)
