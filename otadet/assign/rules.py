"""What rule-based assigners share: anchors, and a result from claimed pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, best_pair
from otadet.assign.costs import PairCost, pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult, hard_result


def square_anchors(batch: FlatBatch, scale: float) -> Tensor:
    """Return ``[A, 4]`` boxes of side ``scale * stride`` around the points, xyxy, input frame."""
    half = batch.points.stride[:, None] * (scale / 2)
    return torch.cat([batch.points.xy - half, batch.points.xy + half], dim=-1)


def rule_result(
    batch: FlatBatch,
    candidates: Candidates,
    claimed: Tensor,
    score: Tensor,
    cost: Tensor | None = None,
    ignored: Tensor | None = None,
) -> tuple[MatchProblem, MatchResult]:
    """Give each claimed point to the claim of the largest score.

    Args:
        batch: the flattened batch.
        candidates: the pairs.
        claimed: ``[G, K]`` bool, pairs that the rule takes for positive.
        score: ``[G, K]`` decides conflicts, larger wins; also what an unmatched object prefers.
        cost: ``[G, K]`` of the rule, for the report; ``-score`` without it.
        ignored: ``[N]`` bool, points that the rule leaves out of the loss.
    """
    cost = -score if cost is None else cost
    claims = claimed.sum(dim=1).float()
    problem = MatchProblem(
        batch,
        candidates,
        PairCost(cost, torch.zeros_like(cost)),
        pair_iou(batch, candidates),
        supply=claims,
        requested=claims,
        ignored=ignored,
    )
    winner = best_pair(score, claimed, candidates.local, candidates.size)
    return problem, hard_result(problem, winner, claimed, score)
