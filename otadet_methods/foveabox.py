"""FoveaBox's assignment: the centre of an object, on the levels of its size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.base import Assigner
from otadet.assign.candidates import build_candidates, table_of
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.grid import closest_point, num_levels
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.rules import rule_result
from otadet.boxes import area
from otadet.exp.methods import Method


@dataclass(frozen=True)
class FoveaBox(Assigner):
    """FoveaBox's assignment by shrunk box and size (Kong et al. 2020).

    A point in the shrunk box of an object serves it, on every level whose range holds the square
    root of the object's area; among several, the smallest object.

    The coding of boxes stays the network's own; the paper has one of its own.

    Attributes:
        shrink: factor of width and height, the paper's sigma.
        base_scale: a level of stride s is made for objects of ``base_scale * s`` pixels: the
            paper's 32 at stride 8 to 512 at stride 128.
        spread: a level takes objects from its size over this to its size times this (eta);
            the first from 0, the last without end. At 2 an object has two levels.
        min_positives: 1 gives an object whose shrunk box lies between the points the closest one;
            0 is as published.
    """

    shrink: float = 0.4
    base_scale: float = 4.0
    spread: float = 2.0
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; compares every point and object."""
        size = area(batch.gt_boxes).sqrt()[:, None]
        low, high = self._ranges(batch)
        wanted = in_scaled_box(batch, self.shrink) & (size >= low) & (size <= high)
        candidates = build_candidates(batch, *table_of(wanted), closest_point)
        score = -area(batch.gt_boxes)[:, None].expand(candidates.point.shape)
        claimed = candidates.valid & ~candidates.no_candidates[:, None]
        return rule_result(batch, candidates, claimed, score)

    def _ranges(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return the smallest and largest size ``[A]`` of each point's objects, pixels."""
        level, middle = batch.points.level, batch.points.stride * self.base_scale
        last = num_levels(batch.points) - 1
        return (
            torch.where(level == 0, 0.0, middle / self.spread),
            torch.where(level == last, torch.inf, middle * self.spread),
        )


def in_scaled_box(batch: FlatBatch, factor: float, reach: float = 0.0) -> Tensor:
    """Return ``[G, A]`` bool: points inside each object's box, scaled about its centre.

    Args:
        batch: the batch.
        factor: of width and height.
        reach: strides by which a point may lie outside; 0.5 tests whether its cell meets the area,
            so that an area smaller than a cell is not lost between points.
    """
    half = (batch.gt_boxes[:, 2:] - batch.gt_boxes[:, :2]) * (factor / 2)
    away = (batch.points.xy[None] - batch.gt_centers[:, None]).abs()
    return (away < half[:, None] + reach * batch.points.stride[:, None]).all(dim=-1)


METHOD = Method(FoveaBox())
"""``method=foveabox``."""
