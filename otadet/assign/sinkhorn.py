"""Sinkhorn-Knopp on candidate pairs: the published solver, fifty iterations or to a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import gather
from otadet.assign.decode import by_row_maximum
from otadet.assign.match import Match, Problem, Solution
from otadet.assign.transport import (
    LOG_FLOOR,
    Pairs,
    pairs_of,
    transport_solution,
)

REFRESH = 24
"""Iterations that only multiply, before the point is moved from which factors are counted.

The first iteration, in which potentials travel far, is done with logarithms. After it no row sum
is further from its supply than by the factor of all supplies together, and so in every later one.
"""


@dataclass(frozen=True)
class Sinkhorn(Match):
    """Entropic optimal transport by alternating scaling (paper, Algorithm 1).

    With the defaults the plan is that of the official code after its 50 iterations, which in a
    crowd has not converged: see ``marginal_error`` in the report, and :class:`Newton`.

    Attributes:
        eps: strength of the entropic term, in units of cost.
        iterations: how many; with a tolerance, how many at most.
        tolerance: stop when no object's received points differ from its supply by more.
    """

    eps: float = 0.1
    iterations: int = 50
    tolerance: float | None = None

    def __call__(self, problem: Problem) -> Solution:
        pairs = pairs_of(problem, self.eps)
        a, taken = sinkhorn_potentials(pairs, self.iterations, self.tolerance)
        plan = pairs.plan(a)
        winner = by_row_maximum(pairs, plan)
        gap = (plan.received - pairs.supply).abs()
        worst = torch.zeros_like(pairs.usable).scatter_reduce_(0, pairs.image, gap, "amax")
        limit = 1e-3 if self.tolerance is None else self.tolerance
        steps = torch.full((problem.scene.batch,), taken, device=gap.device)
        return transport_solution(pairs, plan, winner, pairs.supply, steps, worst <= limit)


def sinkhorn_potentials(
    pairs: Pairs, iterations: int, tolerance: float | None = None
) -> tuple[Tensor, int]:
    """``a [G]`` of the plan before its last row update, and the number of iterations.

    An iteration serves every point once (in closed form, within :meth:`Pairs.plan`) and then
    scales each row to its supply. The published decoding divides each row by its maximum, for
    which the last scaling means nothing; without it the plan serves every point exactly once.
    """
    a = torch.zeros_like(pairs.supply)
    step = 0
    while step < iterations - 1:
        if step == 0 or tolerance is not None:
            change, worst = _row_update(pairs, a)
            # Asking for the error waits for the device, so not at every step.
            if tolerance is not None and float(worst) <= tolerance:
                break
            a = a + change
            step += 1
        steps = min(REFRESH, iterations - 1 - step)
        a = scaled(pairs, a, steps)
        step += steps
    return a, step + 1


def _row_update(pairs: Pairs, a: Tensor) -> tuple[Tensor, Tensor]:
    """One exact iteration: the change of ``a`` and the marginal error before it."""
    log_share = pairs.plan(a).log_share
    peak = log_share.amax(dim=1, keepdim=True).clamp(min=torch.finfo(a.dtype).min)
    log_row = (log_share - peak).exp().sum(dim=1).log() + peak[:, 0]
    received = log_row.exp()
    rest = pairs.rest(received).log() - (pairs.background_supply + LOG_FLOOR).log()
    change = pairs.supply.log() - log_row + gather(rest, pairs.image)
    change = torch.where(pairs.supply > 0, change, 0.0)
    return change, (received - pairs.supply).abs().max()


def scaled(pairs: Pairs, a: Tensor, steps: int) -> Tensor:
    """``a [G]`` after some iterations that take no exponential but the first."""
    x = pairs.ratio + a[:, None]
    where = pairs.local.flatten()
    largest = x.new_zeros(pairs.size).scatter_reduce_(0, where, x.flatten(), "amax")
    kernel = torch.exp(x - gather(largest, pairs.local))
    floor = torch.exp(-largest)
    wanted = pairs.supply / gather(pairs.background_supply + LOG_FLOOR, pairs.image)
    scale = torch.ones_like(pairs.supply)
    for _ in range(steps):
        total = floor.scatter_add(0, where, (kernel * scale[:, None]).view(-1))
        row = (kernel / total.index_select(0, where).view_as(kernel)).sum(dim=1)
        rest = pairs.rest(scale * row)
        if rest.shape[0] > 1:
            rest = rest.index_select(0, pairs.image)
        scale = (wanted / row.clamp_(min=pairs.tiny)).mul_(rest)
    return a + scale.clamp_(min=pairs.tiny).log()
