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


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Focal loss of ``logits`` against ``targets`` in {0, 1} of the same shape; float32."""
    positive, negative = focal_terms(logits, alpha, gamma)
    return torch.where(targets > 0, positive, negative)


def focal_loss_sum(
    logits: Tensor, rows: Tensor, labels: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Summed focal loss where nearly every label is 0, without a tensor of one-hot labels.

    Args:
        logits: ``[N, C]``.
        rows: ``[P]`` int64, the rows that have an object.
        labels: ``[P]`` int64, their classes.

    Returns:
        scalar: the sum over all ``N * C`` elements. Equal to
        ``sigmoid_focal_loss(logits, one_hot).sum()``.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    negative = (1 - alpha) * (p.pow(gamma) * F.softplus(logits)).sum()
    positive_if, negative_if = focal_terms(logits[rows, labels], alpha, gamma)
    return negative + (positive_if - negative_if).sum()


def bce_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy of ``logits`` with (possibly soft) ``targets``; float32, same shape."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")


def iou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``-log IoU`` ``[N]`` of aligned boxes ``[N, 4]`` (Yu et al. 2016); float32."""
    return -aligned_iou(predicted, target).clamp(min=IOU_EPS).log()


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``1 - GIoU`` ``[N]`` of aligned boxes ``[N, 4]`` (Rezatofighi et al. 2019); float32."""
    return torch.as_tensor(generalized_box_iou_loss(predicted.float(), target.float()))
