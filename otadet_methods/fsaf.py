"""FSAF's assignment: the level of the least loss, the centre of the object there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.base import Assigner
from otadet.assign.candidates import Candidates, build_candidates, gather, table_of
from otadet.assign.costs import Cost, FocalCost, IoUCost, pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.grid import closest_point, num_levels
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.rules import rule_result
from otadet.boxes import area
from otadet.exp.methods import Method
from otadet_methods.foveabox import in_scaled_box

CELL = 0.5
"""Strides from a point to the border of its cell."""


@dataclass(frozen=True)
class FSAF(Assigner):
    """FSAF's assignment to the level of the least loss (Zhu et al. 2019).

    An object goes to the level on which the mean loss over the points of its effective area is the
    least (online feature selection). There those points are positive, and what is around them
    inside the ignoring area is left out, on the neighbouring levels too.

    A point whose cell meets an area belongs to it. Among several objects the smallest wins.

    Attributes:
        effective: factor on the box of the area that is positive.
        ignoring: factor on the box of the area that is left out.
        cost: the loss that chooses; the paper's focal and IoU loss.
        min_positives: 1 gives an object that smaller ones hide entirely a point back; 0 is as
            published.
    """

    effective: float = 0.2
    ignoring: float = 0.5
    cost: Cost = FocalCost() + IoUCost()
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; compares every point and object."""
        wanted = in_scaled_box(batch, self.effective, CELL)
        candidates = build_candidates(batch, *table_of(wanted), closest_point)
        cost = self.cost(batch, candidates, pair_iou(batch, candidates)).object
        level = gather(batch.points.level, candidates.point % batch.num_points)
        best = _least(cost, level, candidates, num_levels(batch.points))
        claimed = candidates.valid & (level == best[:, None])
        near = (batch.points.level - best[:, None]).abs() <= 1
        around = in_scaled_box(batch, self.ignoring, CELL) & near
        score = -area(batch.gt_boxes)[:, None].expand(candidates.point.shape)
        return rule_result(batch, candidates, claimed, score, cost, any_object_wants(batch, around))


def _least(cost: Tensor, level: Tensor, candidates: Candidates, levels: int) -> Tensor:
    """Return ``[G]`` int64: level of the least mean ``cost [G, K]`` over an object's candidates."""
    valid = candidates.valid
    total = cost.new_zeros((len(cost), levels))
    count = total.scatter_add(1, level, valid.to(cost))
    total = total.scatter_add(1, level, torch.where(valid, cost, 0.0))
    return torch.where(count > 0, total / count.clamp(min=1.0), torch.inf).argmin(dim=1)


def any_object_wants(batch: FlatBatch, wanted: Tensor) -> Tensor:
    """Return ``[N]`` bool: points of the batch that any object of their image wants.

    Args:
        batch: the batch.
        wanted: ``[G, A]`` bool.
    """
    count = torch.zeros((batch.num_images, batch.num_points), device=batch.device)
    return count.index_add_(0, batch.gt_image, wanted.float()).flatten() > 0


METHOD = Method(FSAF())
"""``method=fsaf``."""
