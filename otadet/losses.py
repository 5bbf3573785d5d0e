"""Elementwise losses, without reduction and without any idea of assignment.

Everything is computed in float32, also under autocast: a focal term of a confident background
logit is far below what half precision can hold.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from otadet.boxes import IOU_EPS, aligned_iou


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
    """Focal loss ``[N]`` of ``logits [N, C]`` against no class at all, summed over classes."""
    logits = logits.float()
    return (1 - alpha) * (torch.sigmoid(logits).pow(gamma) * F.softplus(logits)).sum(dim=-1)


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Focal loss of ``logits`` against ``targets`` in {0, 1} of the same shape; float32."""
    positive, negative = focal_terms(logits, alpha, gamma)
    return torch.where(targets > 0, positive, negative)


def focal_loss_sum(
    logits: Tensor, labels: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Summed focal loss of one label a row, without a tensor of one-hot labels.

    Every logit is charged as background, then the difference is added where a row has a class:
    one pass over the logits, and no step whose size depends on the values.

    Args:
        logits: ``[..., C]``.
        labels: ``[...]`` int64: a class, -1 for background, -2 for a row that does not count.

    Returns:
        float32 scalar, equal to ``sigmoid_focal_loss(logits, one_hot)[labels != -2].sum()``.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    background = ((1 - alpha) * p.pow(gamma) * F.softplus(logits)).sum(dim=-1)
    own = logits.gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
    positive_if, negative_if = focal_terms(own, alpha, gamma)
    change = torch.where(labels >= 0, positive_if - negative_if, 0.0)
    return torch.where(labels > -2, background + change, 0.0).sum()


def bce_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy of ``logits`` with (possibly soft) ``targets``; float32, same shape."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")


def iou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``-log IoU`` ``[N]`` of aligned boxes ``[N, 4]`` (Yu et al. 2016); float32."""
    return -aligned_iou(predicted, target).clamp(min=IOU_EPS).log()


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``1 - GIoU`` ``[N]`` of aligned boxes ``[N, 4]`` (Rezatofighi et al. 2019); float32."""
    return torch.as_tensor(generalized_box_iou_loss(predicted.float(), target.float()))
