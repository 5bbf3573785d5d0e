"""Forms of transport that may leave labels unserved (``benchmarks/partial_transport.py``)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from otadet.assign import Sinkhorn, TopK
from otadet.assign.matcher import MatchProblem
from tests.assign.test_matchers import tiny_problem

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from partial_transport import FreeBackground, Partial, Unbalanced

ANY_PRICE = 1e6


def contested_problem(prices: list[list[float]], supply: list[float]) -> MatchProblem:
    """Objects with given costs on as many points, which cost nothing as background."""
    problem, _ = tiny_problem(0, len(prices), len(prices[0]))
    cost = torch.tensor(prices)
    pair = replace(problem.cost, object=cost, background=torch.zeros_like(cost))
    wanted = torch.tensor(supply)
    return replace(problem, cost=pair, supply=wanted, requested=wanted)


def free_problem(seed: int) -> MatchProblem:
    """Random costs; a point costs nothing as background."""
    problem, _ = tiny_problem(seed)
    pair = problem.cost
    return replace(problem, cost=replace(pair, background=torch.zeros_like(pair.background)))


def owners(problem: MatchProblem, winner: torch.Tensor) -> list[int]:
    """Object of each point, -1 for background."""
    width = problem.candidates.point.shape[1]
    return torch.where(winner >= 0, winner // width, -1).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_free_background_serves_every_label(seed: int) -> None:
    problem, _ = tiny_problem(seed)
    found = FreeBackground(Partial(above=ANY_PRICE, iterations=3000))(problem)
    torch.testing.assert_close(found.received, problem.supply, atol=0.02, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_unbalanced_nears_balanced_as_rho_grows(seed: int) -> None:
    problem = free_problem(seed)
    exact = Sinkhorn(iterations=2000)(problem).received
    gaps = [(Unbalanced(rho=rho)(problem).received - exact).abs().max() for rho in (0.1, 1, 1e4)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.05


def test_a_label_above_the_price_goes_unserved() -> None:
    # Both want the first point. To serve both, the first object has to move, for 9 more.
    problem = contested_problem([[0.0, 9.0, 9.5], [0.5, 11.0, 11.5]], [1, 1])
    served = FreeBackground(Partial(above=20.0))(problem)
    assert owners(problem, served.winner) == [1, 0, -1]
    partial = FreeBackground(Partial(above=4.0))(problem)
    assert owners(problem, partial.winner) == [0, -1, -1]


@pytest.mark.parametrize("seed", range(3))
def test_among_their_own_cheapest_points_objects_get_those_of_simota(seed: int) -> None:
    free = free_problem(seed)
    found = Partial(own=True, eps=0.02)(free)
    assert owners(free, found.winner) == owners(free, TopK()(free).winner)
