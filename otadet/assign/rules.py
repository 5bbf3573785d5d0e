"""What rule-based assigners share: anchors, scaled boxes, and a result from claimed pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, best_pair
from otadet.assign.costs import PairCost, pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult, hard_result


def square_anchors(batch: FlatBatch, scale: float) -> Tensor:
    """``[A, 4]`` boxes of side ``scale * stride`` around the points, xyxy, input frame."""
    half = batch.points.stride[:, None] * (scale / 2)
    return torch.cat([batch.points.xy - half, batch.points.xy + half], dim=-1)


def in_scaled_box(batch: FlatBatch, factor: float, reach: float = 0.0) -> Tensor:
    """``[G, A]`` bool: points inside each object's box, scaled about its centre.

    Args:
        batch: the batch.
        factor: of width and height.
        reach: strides by which a point may lie outside; 0.5 tests whether its cell meets the area,
            so that an area smaller than a cell is not lost between points.
    """
    half = (batch.gt_boxes[:, 2:] - batch.gt_boxes[:, :2]) * (factor / 2)
    away = (batch.points.xy[None] - batch.gt_centers[:, None]).abs()
    return (away < half[:, None] + reach * batch.points.stride[:, None]).all(dim=-1)


def any_object_wants(batch: FlatBatch, wanted: Tensor) -> Tensor:
    """``[N]`` bool: points of the batch that any object of their image wants.

    Args:
        batch: the batch.
        wanted: ``[G, A]`` bool.
    """
    count = torch.zeros((batch.num_images, batch.num_points), device=batch.device)
    return count.index_add_(0, batch.gt_image, wanted.float()).flatten() > 0


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
