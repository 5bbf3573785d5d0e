"""Sinkhorn-Knopp on candidate pairs: the published solver, fifty iterations or to a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import best_pair, gather
from otadet.assign.matcher import Matcher, MatchProblem, MatchResult
from otadet.assign.transport import (
    LOG_FLOOR,
    TIE_DECIMALS,
    TransportPlan,
    TransportProblem,
    transport_problem,
    transport_result,
)

REFRESH = 24
"""Number of iterations that multiply scale factors before the factors are added to the potentials.

The first iteration, in which the potentials change most, is done in log space. After it, and after
every later iteration, a row sum and its supply differ at most by the factor of the sum of all
supplies.
"""


@dataclass(frozen=True)
class Sinkhorn(Matcher):
    """Entropic optimal transport by alternating scaling (paper, Algorithm 1).

    With the defaults the plan is that of the official code after its 50 iterations, which in a
    crowd has not converged: see ``marginal_error`` in the report, and :class:`Newton`.

    Attributes:
        eps: strength of the entropic term, in units of cost.
        iterations: how many; with a tolerance, how many at most.
        tolerance: stop when no object's received points differ from its supply by more; checked
            before the first iteration and then every ``1 + REFRESH``. ``None``: never stop early.
    """

    eps: float = 0.1
    iterations: int = 50
    tolerance: float | None = None

    def __call__(self, problem: MatchProblem) -> MatchResult:
        pairs = transport_problem(problem, self.eps)
        a, taken = sinkhorn_potentials(pairs, self.iterations, self.tolerance)
        plan = pairs.plan(a)
        winner = by_row_maximum(pairs, plan)
        gap = (plan.received - pairs.supply).abs()
        worst = torch.zeros_like(pairs.usable).scatter_reduce_(0, pairs.image, gap, "amax")
        limit = 1e-3 if self.tolerance is None else self.tolerance
        steps = torch.full((problem.batch.num_images,), taken, device=gap.device)
        return transport_result(pairs, plan, winner, pairs.supply, steps, worst <= limit)


def sinkhorn_potentials(
    pairs: TransportProblem, iterations: int, tolerance: float | None = None
) -> tuple[Tensor, int]:
    """Return ``a [G]`` of the plan before its last row update, and the number of iterations.

    An iteration serves every point once (in closed form, in :meth:`TransportProblem.plan`) and
    then scales each row to its supply. The published decoding divides each row by its maximum, for
    which the last scaling means nothing; without it the plan serves every point exactly once.
    """
    a = torch.zeros_like(pairs.supply)
    step = 0
    while step < iterations - 1:
        if step == 0 or tolerance is not None:
            change, worst = _row_update(pairs, a)
            # Reading the error synchronises, so not at every step.
            if tolerance is not None and float(worst) <= tolerance:
                break
            a = a + change
            step += 1
        steps = min(REFRESH, iterations - 1 - step)
        a = scaled(pairs, a, steps)
        step += steps
    return a, step + 1


def _row_update(pairs: TransportProblem, a: Tensor) -> tuple[Tensor, Tensor]:
    """One exact iteration: the change of ``a`` and the marginal error before it."""
    log_share = pairs.plan(a).log_share
    peak = log_share.amax(dim=1, keepdim=True).clamp(min=torch.finfo(a.dtype).min)
    log_row = (log_share - peak).exp().sum(dim=1).log() + peak[:, 0]
    received = log_row.exp()
    rest = pairs.rest(received).log() - (pairs.background_supply + LOG_FLOOR).log()
    change = pairs.supply.log() - log_row + gather(rest, pairs.image)
    change = torch.where(pairs.supply > 0, change, 0.0)
    return change, (received - pairs.supply).abs().max()


def scaled(pairs: TransportProblem, a: Tensor, steps: int) -> Tensor:
    """Return ``a [G]`` after ``steps`` iterations, with one exponential for all of them."""
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


def by_row_maximum(pairs: TransportProblem, plan: TransportPlan) -> Tensor:
    """Decode as the official code: each row over its maximum, then the largest at each point.

    Two objects whose rows peak at the same point both have 1 there. The official code then
    takes the lower index; here the one that gives the point more or, if both give the same, has
    the lower cost, so that the objects' order means nothing. The number of points an object gets
    is not its supply, only near it.

    Returns:
        ``winner [U]`` as in :class:`~otadet.assign.matcher.MatchResult`.
    """
    relative = plan.share / plan.share.amax(dim=1, keepdim=True).clamp(min=pairs.tiny)
    top = torch.where(pairs.used, plan.background, 0.0)
    top = torch.zeros_like(pairs.usable).scatter_reduce_(0, pairs.point_image, top, "amax")
    top = torch.where(pairs.num_used < pairs.usable, 1.0, top)
    background = plan.background / gather(top, pairs.point_image).clamp(min=pairs.tiny)
    take = (pairs.ratio > -torch.inf) & (relative >= gather(background, pairs.local))
    share = plan.share.round(decimals=TIE_DECIMALS)
    return best_pair([relative, share, pairs.ratio], take, pairs.local, pairs.size)
