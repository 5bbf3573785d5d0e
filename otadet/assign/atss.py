"""Adaptive training sample selection."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from otadet.assign.anchors import rule_answer, square_anchors
from otadet.assign.base import Answer, Assigner
from otadet.assign.candidates import gather, settle
from otadet.assign.priors import INSIDE_MARGIN, ClosestPerLevel
from otadet.assign.scene import Scene
from otadet.boxes import aligned_iou, ltrb_from_points


@dataclass(frozen=True)
class ATSS(Assigner):
    """Zhang et al. 2020: of the ``r^2`` points closest to an object on every level, those whose
    anchor's IoU reaches the candidates' mean plus standard deviation, if inside the object. A
    point that several objects claim goes to the largest IoU.

    Attributes:
        r: 3 in the paper; 5 and 7 in OTA's Table 2.
        anchor_scale: the anchor is a square of this many strides.
        min_positives: 1 gives an object that ended without a point one back; 0 is as published.
    """

    r: int = 3
    anchor_scale: float = 8.0
    min_positives: int = 1

    def solve(self, scene: Scene) -> Answer:
        """Decide for a batch that has at least one object."""
        point, exists = ClosestPerLevel(self.r).select(scene)
        anchors = gather(square_anchors(scene, self.anchor_scale), point)
        iou = aligned_iou(anchors, scene.gt_boxes[:, None])
        count = exists.sum(dim=1).clamp(min=2)
        mean = torch.where(exists, iou, 0.0).sum(dim=1) / count
        spread = torch.where(exists, iou - mean[:, None], 0.0).square().sum(dim=1) / (count - 1)
        threshold = mean + spread.sqrt()
        sides = ltrb_from_points(gather(scene.points.xy, point), scene.gt_boxes[:, None])
        inside = exists & (sides.amin(dim=-1) > INSIDE_MARGIN)
        candidates = settle(scene, point, inside, None)
        anchors = gather(
            square_anchors(scene, self.anchor_scale), candidates.point % scene.num_points
        )
        iou = aligned_iou(anchors, scene.gt_boxes[:, None])
        claimed = candidates.valid & (iou >= threshold[:, None])
        return rule_answer(scene, candidates, claimed, iou)
