"""Shared parts of all criteria: the object of each point, sums over points, the loss report.

Nothing here synchronises with the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from otadet import dist
from otadet.assign import Assigner
from otadet.to_device import to_device
from otadet.types import Assignment, LossReport, Predictions, Target


class Criterion(Protocol):
    """Predictions and targets to a loss."""

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch; ``targets`` has one entry an image, on the same device."""


@dataclass(frozen=True, eq=False)
class Matched:
    """Assignment of ``B`` images and ``A`` points, with the box and class of each point's object.

    Attributes:
        preds: predictions of the network.
        assignment: which point learns which object.
        boxes: ``[B, A, 4]`` the objects' boxes, anything where there is none.
        labels: ``[B, A]`` int64 their classes, -1 for background, -2 for ignored points.
    """

    preds: Predictions
    assignment: Assignment
    boxes: Tensor
    labels: Tensor

    @property
    def positive(self) -> Tensor:
        """``[B, A]`` bool."""
        return self.labels >= 0

    def report(self, terms: Mapping[str, Tensor], positives: Tensor) -> LossReport:
        """Make the report of terms that were divided by ``positives``, or by 1 where it is less."""
        stats = {"positives": self.positive.sum(), **self.assignment.stats}
        return loss_report(terms, positives, stats)


def match(assigner: Assigner, preds: Predictions, targets: Sequence[Target]) -> Matched:
    """Assign the points of a batch and look up each point's object."""
    assignment = assigner(preds, targets)
    return Matched(preds, assignment, *matched_targets(assignment, targets))


def matched_targets(assignment: Assignment, targets: Sequence[Target]) -> tuple[Tensor, Tensor]:
    """Look up each point's object, by one gather over the objects of all images.

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
    start = to_device(starts, device)
    last = sum(counts) - 1
    flat = (gt_index.clamp(min=0) + start[:, None]).clamp(max=last)
    all_boxes = torch.cat([t.boxes for t in targets]).float()
    all_labels = torch.cat([t.labels for t in targets])
    return all_boxes[flat], torch.where(gt_index >= 0, all_labels[flat], gt_index)


def mean_positives(positive: Tensor) -> Tensor:
    """Return the number of positives, bool or weights of any shape, averaged over processes.

    Sums over points are divided by it, or by 1 where it is less.
    """
    return dist.mean(positive.sum().float())


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Return the sum of ``values`` where ``mask`` holds; the rest gets no gradient.

    Both have the same shape.
    """
    return torch.where(mask, values, 0.0).sum()


def loss_report(
    terms: Mapping[str, Tensor], positives: Tensor, stats: dict[str, Tensor]
) -> LossReport:
    """Make a report whose total is the sum of ``terms``, scalars with gradient."""
    return LossReport(
        total=torch.stack(list(terms.values())).sum(),
        terms={k: v.detach() for k, v in terms.items()},
        positives=positives,
        stats=stats,
    )
