"""FCOS's assignment: inside the box, at the right level, the smaller object first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.anchors import rule_answer
from otadet.assign.base import Answer, Assigner
from otadet.assign.candidates import gather, settle
from otadet.assign.grid import levels_of
from otadet.assign.priors import CenterBox, InsideBox
from otadet.assign.scene import Scene
from otadet.boxes import area, ltrb_from_points


@dataclass(frozen=True)
class FCOSAssigner(Assigner):
    """Tian et al. 2019: a point serves an object whose box holds it, if the distance to the
    farthest side fits the point's level; among several, the object of the smallest area.

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

    def solve(self, scene: Scene) -> Answer:
        """Decide for a batch that has at least one object."""
        prior = InsideBox() if self.radius is None else CenterBox(self.radius, inside_box=True)
        point, valid = prior.select(scene)
        sides = ltrb_from_points(gather(scene.points.xy, point), scene.gt_boxes[:, None])
        low, high = self._ranges(scene)
        farthest = sides.amax(dim=-1)
        valid = valid & (farthest >= gather(low, point)) & (farthest <= gather(high, point))
        candidates = settle(scene, point, valid, None)
        score = -area(scene.gt_boxes)[:, None].expand(candidates.point.shape)
        return rule_answer(scene, candidates, candidates.valid, score)

    def _ranges(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """Smallest and largest distance ``[A]`` of each point, pixels."""
        levels = levels_of(scene.points)
        level = scene.points.level
        last = len(levels.shapes) - 1 if levels is not None else level.max()
        high = scene.points.stride * self.range_scale
        return (
            torch.where(level == 0, 0.0, high / 2),
            torch.where(level == last, torch.inf, high),
        )
