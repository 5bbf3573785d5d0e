"""Comparison of two sets of detections that may differ by rounding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.boxes import pairwise_iou
from otadet.postprocess import Postprocess
from otadet.types import Detections


@dataclass(frozen=True)
class Agreement:
    """Counts of equal and different detections.

    Attributes:
        equal: detections with a partner of the same class, box and score.
        tied: without a partner, where rounding decides: the score is at the threshold or at that
            of the last detection kept, or NMS kept another box of the same class and score that
            overlaps it, or, with ``point_labels="best"``, the same box was kept for another class.
        different: all others.
    """

    equal: int
    tied: int
    different: int

    @property
    def total(self) -> int:
        """Number of detections in both sets, partners counted once."""
        return self.equal + self.tied + self.different

    @property
    def share(self) -> float:
        """Share of equal detections; 1 without detections."""
        return self.equal / self.total if self.total else 1.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.equal + other.equal, self.tied + other.tied, self.different + other.different
        )


def agreement(
    a: Detections, b: Detections, postprocess: Postprocess, box_limit: float, score_limit: float
) -> Agreement:
    """Compare two sets of detections of one image one by one.

    Args:
        a: one set.
        b: the other.
        postprocess: with which both were computed.
        box_limit: largest difference of a side, pixels of the image frame.
        score_limit: largest difference of a score.
    """
    level = _score_gap(a, b) <= score_limit
    near = (a.labels[:, None] == b.labels) & level
    in_place = (a.boxes[:, None] - b.boxes).abs().amax(dim=-1) <= box_limit
    same = near & in_place
    partner = _partners(same)
    left_a = torch.tensor([p < 0 for p in partner], dtype=torch.bool)
    left_b = torch.ones(len(b), dtype=torch.bool)
    left_b[[p for p in partner if p >= 0]] = False
    rivals = near & (pairwise_iou(a.boxes, b.boxes) > postprocess.nms_threshold)
    if postprocess.point_labels == "best":
        rivals |= level & in_place
    edges = _edges(a, b, postprocess)
    excused_a = (rivals & left_b).any(dim=1) | _at(a.scores, edges, score_limit)
    excused_b = (rivals & left_a[:, None]).any(dim=0) | _at(b.scores, edges, score_limit)
    alone = int(left_a.sum()) + int(left_b.sum())
    tied = int((left_a & excused_a).sum()) + int((left_b & excused_b).sum())
    return Agreement(len(a) - int(left_a.sum()), tied, alone - tied)


def count_matches(
    a: Detections, b: Detections, score: float = 0.3, iou: float = 0.5
) -> tuple[int, int]:
    """Count matching detections of two different networks on one image.

    Args:
        a: one set of detections.
        b: the other.
        score: detections with lower scores do not count.
        iou: least IoU of matching boxes.

    Returns:
        Number of detections in both sets with a partner of the same class, and of all.
    """
    a, b = a.above(score), b.above(score)
    same = (a.labels[:, None] == b.labels) & (pairwise_iou(a.boxes, b.boxes) >= iou)
    found = sum(partner >= 0 for partner in _partners(same))
    return 2 * found, len(a) + len(b)


def _partners(same: Tensor) -> list[int]:
    """For each row the first free column that is true in it, or -1."""
    taken: set[int] = set()
    partner: list[int] = []
    for row in same:
        free = [c for c in torch.nonzero(row).flatten().tolist() if c not in taken]
        partner.append(free[0] if free else -1)
        taken.update(free[:1])
    return partner


def _score_gap(a: Detections, b: Detections) -> Tensor:
    return (a.scores[:, None] - b.scores).abs()


def _edges(a: Detections, b: Detections, postprocess: Postprocess) -> list[float]:
    """Scores at which rounding decides: the threshold, and that of a full list's last one."""
    full = [d for d in (a, b) if len(d) >= postprocess.max_detections]
    return [postprocess.score_threshold, *(float(d.scores[-1]) for d in full)]


def _at(scores: Tensor, edges: list[float], limit: float) -> Tensor:
    return torch.stack([(scores - edge).abs() <= limit for edge in edges]).any(dim=0)
