"""What every criterion does with an assignment, without waiting for the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from otadet import dist
from otadet.host import on_device
from otadet.types import Assignment, LossReport, Predictions, Target


class Criterion(Protocol):
    """Predictions and targets to a loss."""

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """The loss of a batch; ``targets`` has one entry an image, on the same device."""


def matched_targets(assignment: Assignment, targets: Sequence[Target]) -> tuple[Tensor, Tensor]:
    """Each point's object, by one gather over the objects of all images.

    Returns:
        ``boxes [B, A, 4]`` float32 of the assigned objects (anything where there is none) and
        ``labels [B, A]`` int64: class, -1 for background, -2 for ignored points.
    """
    gt_index = assignment.gt_index
    device = gt_index.device
    counts = [len(t) for t in targets]
    if sum(counts) == 0:
        return torch.zeros((*gt_index.shape, 4), device=device), gt_index
    starts = [sum(counts[:i]) for i in range(len(counts))]
    start = on_device(starts, device)
    last = sum(counts) - 1
    flat = (gt_index.clamp(min=0) + start[:, None]).clamp(max=last)
    all_boxes = torch.cat([t.boxes for t in targets]).float()
    all_labels = torch.cat([t.labels for t in targets])
    return all_boxes[flat], torch.where(gt_index >= 0, all_labels[flat], gt_index)


def mean_positives(positive: Tensor) -> Tensor:
    """Scalar: the number of positives, any shape, bool or their weights, averaged over processes.
    Sums over points are divided by it, or by 1 where it is less."""
    return dist.mean(positive.sum().float())


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Sum of ``values`` where ``mask`` of the same shape holds; the rest gets no gradient."""
    return torch.where(mask, values, 0.0).sum()
