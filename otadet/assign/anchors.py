"""What the rule-based assigners share: square anchors, and an answer from chosen pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.assign.base import Answer
from otadet.assign.candidates import Candidates, best_pair
from otadet.assign.costs import PairCost, pair_iou
from otadet.assign.match import Problem, hard_solution
from otadet.assign.scene import Scene


def square_anchors(scene: Scene, scale: float) -> Tensor:
    """``[A, 4]`` boxes of side ``scale * stride`` around the points, xyxy, input frame."""
    half = scene.points.stride[:, None] * (scale / 2)
    return torch.cat([scene.points.xy - half, scene.points.xy + half], dim=-1)


def rule_answer(
    scene: Scene,
    candidates: Candidates,
    claimed: Tensor,
    score: Tensor,
    cost: Tensor | None = None,
    ignored: Tensor | None = None,
) -> Answer:
    """The answer of a rule: each claimed point goes to the claim of the largest score.

    Args:
        scene: the batch.
        candidates: the pairs.
        claimed: ``[G, K]`` bool, pairs that the rule takes for positive.
        score: ``[G, K]`` settles conflicts, larger wins; also what a lonely object prefers.
        cost: ``[G, K]`` of the rule, for the report; ``-score`` without it.
        ignored: ``[N]`` points that the rule leaves out.
    """
    winner = best_pair(score, claimed, candidates.local, candidates.size)
    cost = -score if cost is None else cost
    claims = claimed.sum(dim=1).float()
    problem = Problem(
        scene,
        candidates,
        PairCost(cost, torch.zeros_like(cost)),
        pair_iou(scene, candidates),
        claims,
    )
    return Answer(
        problem, hard_solution(scene, candidates, winner, claimed, score), claims, ignored
    )
