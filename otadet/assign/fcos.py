"""FCOS's assignment: inside the box, at the right level, the smaller object first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.base import Assigner
from otadet.assign.candidates import build_candidates, gather
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.grid import levels_of
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.priors import CenterBox, InsideBox
from otadet.assign.rules import rule_result
from otadet.boxes import area, ltrb_from_points


@dataclass(frozen=True)
class FCOSAssigner(Assigner):
    """FCOS's assignment by box and level (Tian et al. 2019).

    A point serves an object whose box holds it, if the distance to the farthest side fits the
    point's level; among several, the object of the smallest area.

    Attributes:
        radius: centre sampling, in strides (1.5 in FCOS's later form); ``None`` takes the box.
        range_scale: a level of stride s regresses distances from ``range_scale * s / 2`` to
            ``range_scale * s`` pixels; the first from 0, the last without end. 8 gives the
            published 64, 128, 256, 512 for strides 8 to 64.
        min_positives: 1 gives an object that smaller ones hide entirely a point back; 0 is as
            published.
    """

    radius: float | None = 1.5
    range_scale: float = 8.0
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object."""
        prior = InsideBox() if self.radius is None else CenterBox(self.radius, inside_box=True)
        point, valid = prior.select(batch)
        sides = ltrb_from_points(gather(batch.points.xy, point), batch.gt_boxes[:, None])
        low, high = self._ranges(batch)
        farthest = sides.amax(dim=-1)
        valid = valid & (farthest >= gather(low, point)) & (farthest <= gather(high, point))
        candidates = build_candidates(batch, point, valid, None)
        score = -area(batch.gt_boxes)[:, None].expand(candidates.point.shape)
        return rule_result(batch, candidates, candidates.valid, score)

    def _ranges(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return the smallest and largest distance ``[A]`` of each point, pixels."""
        levels = levels_of(batch.points)
        level = batch.points.level
        last = len(levels.shapes) - 1 if levels is not None else level.max()
        high = batch.points.stride * self.range_scale
        return (
            torch.where(level == 0, 0.0, high / 2),
            torch.where(level == last, torch.inf, high),
        )
