"""The unregularised optimum, and one-to-one matching, by a linear assignment solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from otadet.assign.matcher import Matcher, MatchProblem, MatchResult, received_points
from otadet.errors import InputError

FORBIDDEN = 1e7
"""Cost of a pair that is no candidate; such pairs in the solver's result are dropped."""


@dataclass(frozen=True)
class Exact(Matcher):
    """The optimal integral plan: every point whole, no object above its supply.

    The transport problem with supplies k, unit demands and a background that takes the rest has
    integral optima: the assignment of k copies of each object at cost ``c_ij - c_bg_j``. It runs
    on the host, one image after the other, and needs scipy (``pip install otadet[exact]``). Supply
    that no point can take stays unserved at the least cost; the report's ``supply`` shows it.
    """

    def __call__(self, problem: MatchProblem) -> MatchResult:
        copies = problem.supply.clamp(min=1.0).floor().long()
        reduced = problem.cost.object - problem.cost.background
        return solve_assignment(problem, reduced, copies)


@dataclass(frozen=True)
class Hungarian(Matcher):
    """One point an object, at the least total cost (as DETR, but dense); the supply is not used.

    The cost is that of the pairs alone, as there; the background's plays no part.
    """

    def __call__(self, problem: MatchProblem) -> MatchResult:
        one = torch.ones_like(problem.supply, dtype=torch.int64)
        return solve_assignment(problem, problem.cost.object, one)


def solve_assignment(problem: MatchProblem, cost: Tensor, copies: Tensor) -> MatchResult:
    """Return the cheapest assignment of ``copies [G]`` of each object under ``cost [G, K]``."""
    batch, candidates = problem.batch, problem.candidates
    host_cost = cost.double().cpu().numpy()
    local, valid = candidates.local.cpu().numpy(), candidates.valid.cpu().numpy()
    amount = copies.cpu().numpy()
    winner = np.full(candidates.size, -1, dtype=np.int64)
    end = np.cumsum(batch.counts)
    for last, count in zip(end, batch.counts):
        rows = slice(last - count, last)
        if count:
            _one_image(winner, local[rows], valid[rows], host_cost[rows], amount[rows],
                       int(last - count))  # fmt: skip
    found = torch.from_numpy(winner).to(batch.device)
    received = received_points(found, candidates)
    zeros = torch.zeros(batch.num_images, device=batch.device)
    return MatchResult(
        winner=found,
        preference=-cost,
        supply=received,
        received=received,
        ambiguous=zeros,
        contested=torch.zeros_like(found, dtype=torch.bool),
        iterations=zeros.long(),
        converged=zeros == 0,
    )


def _one_image(
    winner: npt.NDArray[np.int64], local: npt.NDArray[np.int64], valid: npt.NDArray[np.bool_],
    cost: npt.NDArray[np.float64], amount: npt.NDArray[np.int64], first: int,
) -> None:  # fmt: skip
    points, column = np.unique(local[valid], return_inverse=True)
    dense = np.full((len(local), len(points)), FORBIDDEN)
    pair = np.full((len(local), len(points)), -1, dtype=np.int64)
    row, slot = np.nonzero(valid)
    dense[row, column] = cost[valid]
    pair[row, column] = (first + row) * local.shape[1] + slot
    owner = np.repeat(np.arange(len(local)), np.minimum(amount, valid.sum(axis=1)))
    taker, taken = _linear_sum_assignment()(dense[owner])
    served = dense[owner[taker], taken] < FORBIDDEN
    winner[points[taken[served]]] = pair[owner[taker[served]], taken[served]]


def _linear_sum_assignment() -> Any:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise InputError(
            "assigners Exact, Hungarian and DETRMatch: expected scipy, which is not installed; "
            "pip install 'otadet[exact]'"
        ) from error
    return linear_sum_assignment
