"""Whether two sets of detections are the same, given that both were rounded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.boxes import pairwise_iou
from otadet.postprocess import Postprocess
from otadet.types import Detections


@dataclass(frozen=True)
class Agreement:
    """Counts of detections.

    Attributes:
        equal: with a partner of the same class, box and score.
        tied: without one, where rounding decides: the score is at the threshold or at that of the
            last detection kept, or another box of the same class and score, which overlaps it more
            than NMS allows, was kept in its place, or the same box for another class, where a
            point may only have its best.
        different: the rest.
    """

    equal: int
    tied: int
    different: int

    @property
    def total(self) -> int:
        """Number of detections of either set, partners counted once."""
        return self.equal + self.tied + self.different

    @property
    def share(self) -> float:
        """Share of equal detections; 1 where there are none at all."""
        return self.equal / self.total if self.total else 1.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.equal + other.equal, self.tied + other.tied, self.different + other.different
        )


def agreement(
    a: Detections, b: Detections, postprocess: Postprocess, box_limit: float, score_limit: float
) -> Agreement:
    """Compare two sets of detections of one image.

    Args:
        a: one set.
        b: the other.
        postprocess: whose thresholds made them.
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


def alike(a: Detections, b: Detections, score: float = 0.3, iou: float = 0.5) -> tuple[int, int]:
    """How far two networks, not two forms of one, agree about an image.

    Args:
        a: one set of detections.
        b: the other.
        score: lower ones do not count.
        iou: least overlap of two boxes that mean the same object.

    Returns:
        Detections of both sets with a partner of the same class in the other, and all of them.
    """
    a, b = a.above(score), b.above(score)
    same = (a.labels[:, None] == b.labels) & (pairwise_iou(a.boxes, b.boxes) >= iou)
    found = sum(partner >= 0 for partner in _partners(same))
    return 2 * found, len(a) + len(b)


def _partners(same: Tensor) -> list[int]:
    """For each row a column of its own that is true in it, or -1; rows in their order."""
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
    """Scores at which a detection may be kept or not: the threshold, and a full list's last."""
    full = [d for d in (a, b) if len(d) >= postprocess.max_detections]
    return [postprocess.score_threshold, *(float(d.scores[-1]) for d in full)]


def _at(scores: Tensor, edges: list[float], limit: float) -> Tensor:
    return torch.stack([(scores - edge).abs() <= limit for edge in edges]).any(dim=0)
