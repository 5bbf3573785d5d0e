"""RetinaNet's assignment by the IoU of anchors."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from otadet.assign.base import Assigner
from otadet.assign.candidates import best_pair, build_candidates, gather, table_of
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.rules import rule_result, square_anchors
from otadet.boxes import aligned_iou, pairwise_iou


@dataclass(frozen=True)
class MaxIoU(Assigner):
    """RetinaNet's assignment by the IoU of anchors (Lin et al. 2017).

    An anchor is positive from one IoU on, background below another, and left out between them. It
    serves the object of its largest IoU. The best anchors of every object are positive whatever
    their IoU.

    Attributes:
        positive: IoU from which an anchor is positive.
        negative: IoU below which it is background.
        anchor_scale: one square anchor a point, of this many strides (OTA's RetinaNet);
            without effect where the points have anchors of their own.
        low_quality: keep each object's best anchors.
        min_positives: 1 gives an object that ended without a point one back; 0 is as published.
    """

    positive: float = 0.5
    negative: float = 0.4
    anchor_scale: float = 8.0
    low_quality: bool = True
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; compares every anchor and object."""
        anchors = batch.points.anchors
        if anchors is None:
            anchors = square_anchors(batch, self.anchor_scale)
        candidates = build_candidates(
            batch, *table_of(pairwise_iou(batch.gt_boxes, anchors) > 0), None
        )
        theirs = gather(anchors, candidates.point % batch.num_points)
        iou = torch.where(candidates.valid, aligned_iou(theirs, batch.gt_boxes[:, None]), 0.0)
        best = best_pair(iou, candidates.valid, candidates.local, candidates.size)
        foremost = candidates.won(best)
        claimed = foremost & (iou >= self.positive)
        if self.low_quality:
            top = candidates.valid & (iou >= iou.amax(dim=1, keepdim=True)) & (iou > 0)
            raised = torch.zeros(candidates.size, device=iou.device)
            raised.index_add_(0, candidates.local.flatten(), top.flatten().float())
            claimed = claimed | (foremost & gather(raised > 0, candidates.local))
        between = foremost & ~claimed & (iou >= self.negative)
        ignored = torch.zeros(batch.boxes.shape[0], device=iou.device)
        ignored.index_add_(0, candidates.point.flatten(), between.flatten().float())
        return rule_result(batch, candidates, claimed, iou, ignored=ignored > 0)
