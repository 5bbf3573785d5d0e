"""Task-aligned assignment."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from otadet.assign.base import Assigner
from otadet.assign.candidates import build_candidates
from otadet.assign.costs import own_logits, pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.priors import InsideBox
from otadet.assign.rules import rule_result
from otadet.assign.topk import cheapest


@dataclass(frozen=True)
class TAL(Assigner):
    """Task-aligned assignment (TOOD, Feng et al. 2021).

    The ``k`` points inside an object's box with the largest ``score^alpha * IoU^beta`` are
    positive; a point that several objects claim goes to the largest IoU.

    Attributes:
        k: points an object; 10 in current YOLOs, 13 in the paper.
        alpha: power of the own class's probability; 0.5 in current YOLOs, 1 in the paper.
        beta: power of the IoU.
        min_positives: 1 gives an object that ended without a point one back; 0 is as published.
    """

    k: int = 10
    alpha: float = 0.5
    beta: float = 6.0
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; scans all points for those inside."""
        candidates = build_candidates(batch, *InsideBox().select(batch), None)
        iou = pair_iou(batch, candidates)
        score = own_logits(batch, candidates).sigmoid()
        metric = score.pow(self.alpha) * iou.pow(self.beta)
        supply = torch.full((batch.num_objects,), float(self.k), device=batch.device)
        claimed = cheapest(-metric, candidates.valid & (metric > 0), supply)
        # A point without any IoU must still have an order of preference for unmatched objects.
        return rule_result(batch, candidates, claimed, iou + 1e-6 * score, cost=-metric)
