"""R-CNN's assignment of proposals by their IoU."""

from __future__ import annotations

from dataclasses import dataclass

from otadet.assign.base import Assigner
from otadet.assign.candidates import build_candidates, table_of
from otadet.assign.costs import pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.rules import rule_result
from otadet.boxes import aligned_iou


@dataclass(frozen=True)
class ProposalIoU(Assigner):
    """Girshick et al. 2014: a proposal serves the object of its largest IoU, from one IoU on.

    Asked about predictions whose boxes are the proposals.

    Attributes:
        positive: IoU from which a proposal is positive; it is background below.
        min_positives: 1 gives an object that ended without a proposal one back; 0 is as published.
    """

    positive: float = 0.5
    min_positives: int = 0

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; compares all pairs of an image."""
        theirs = batch.boxes.view(batch.num_images, -1, 4)[batch.gt_image]
        iou = aligned_iou(theirs, batch.gt_boxes[:, None])
        candidates = build_candidates(batch, *table_of(iou >= self.positive), None)
        return rule_result(batch, candidates, candidates.valid, pair_iou(batch, candidates))
