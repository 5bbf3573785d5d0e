"""SimOTA's greedy rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from otadet.assign.candidates import best_pair
from otadet.assign.matcher import Matcher, MatchProblem, MatchResult, hard_result


@dataclass(frozen=True)
class TopK(Matcher):
    """Give each object as many of its cheapest points as its supply (YOLOX).

    A point that several objects took goes to the cheapest of all objects that may have it. The
    loser gets nothing in its place, so that in a crowd an object can end with no point at all.
    No object gets more than its supply, except through the clause before: a point contested by
    others may fall to it. Supplies need not fit together: each object chooses alone.
    """

    shares_points: ClassVar[bool] = False

    def __call__(self, problem: MatchProblem) -> MatchResult:
        candidates = problem.candidates
        chosen = cheapest(problem.cost.object, candidates.valid, problem.supply)
        cost = problem.cost.object
        winner = resolve(problem, chosen, -cost)
        return hard_result(problem, winner, chosen, -cost, supply=problem.supply)


def cheapest(cost: Tensor, valid: Tensor, supply: Tensor) -> Tensor:
    """Return ``[G, K]`` bool: the ``supply [G]`` cheapest valid pairs of every row."""
    order = torch.where(valid, cost, torch.inf).argsort(dim=1, stable=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(cost.shape[1], device=cost.device).expand_as(order)
    )
    return valid & (rank < supply[:, None])


def resolve(problem: MatchProblem, chosen: Tensor, score: Tensor) -> Tensor:
    """Return the winner ``[U]`` of every chosen point.

    Its only taker or, where there are several, the pair of the largest score among all objects
    that may have the point.
    """
    candidates = problem.candidates
    count = torch.zeros(candidates.size, dtype=torch.int32, device=score.device)
    count.index_add_(0, candidates.local.flatten(), chosen.flatten().int())
    takers = count[candidates.local]
    take = candidates.valid & ((takers > 1) | (chosen & (takers == 1)))
    return best_pair(score, take, candidates.local, candidates.size)
