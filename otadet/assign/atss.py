"""Adaptive training sample selection."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from otadet.assign.base import Assigner
from otadet.assign.candidates import build_candidates, gather
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.priors import INSIDE_MARGIN, ClosestPerLevel
from otadet.assign.rules import rule_result, square_anchors
from otadet.boxes import aligned_iou, ltrb_from_points


@dataclass(frozen=True)
class ATSS(Assigner):
    """Adaptive training sample selection (Zhang et al. 2020).

    Of the ``r^2`` points closest to an object on every level, those are positive whose anchor's IoU
    reaches the candidates' mean plus standard deviation, if inside the object. A point that several
    objects claim goes to the largest IoU.

    Attributes:
        r: 3 in the paper; 5 and 7 in OTA's Table 2.
        anchor_scale: the anchor is a square of this many strides.
        min_positives: 1 gives an object that ended without a point one back; 0 is as published.
    """

    r: int = 3
    anchor_scale: float = 8.0
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object."""
        point, exists = ClosestPerLevel(self.r).select(batch)
        anchors = gather(square_anchors(batch, self.anchor_scale), point)
        iou = aligned_iou(anchors, batch.gt_boxes[:, None])
        count = exists.sum(dim=1).clamp(min=2)
        mean = torch.where(exists, iou, 0.0).sum(dim=1) / count
        spread = torch.where(exists, iou - mean[:, None], 0.0).square().sum(dim=1) / (count - 1)
        threshold = mean + spread.sqrt()
        sides = ltrb_from_points(gather(batch.points.xy, point), batch.gt_boxes[:, None])
        inside = exists & (sides.amin(dim=-1) > INSIDE_MARGIN)
        candidates = build_candidates(batch, point, inside, None)
        anchors = gather(
            square_anchors(batch, self.anchor_scale), candidates.point % batch.num_points
        )
        iou = aligned_iou(anchors, batch.gt_boxes[:, None])
        claimed = candidates.valid & (iou >= threshold[:, None])
        return rule_result(batch, candidates, claimed, iou)
