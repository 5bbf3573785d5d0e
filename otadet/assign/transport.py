"""The entropic transport plan of candidate pairs, in ratio to the background.

With potentials ``u`` of the objects and ``u_bg`` of the background, points that are nobody's
candidate are wholly background, and a candidate point j splits among

    background     1 / S_j
    object i       exp(a_i + r_ij) / S_j          S_j = 1 + sum_i exp(a_i + r_ij)

where ``a_i = (u_i - u_bg) / eps`` and ``r_ij = (background cost_j - cost_ij) / eps``. So the
objects' ``a`` are all the unknowns there are. ``a + r`` can be several thousand; every sum is
therefore taken relative to its largest term, in float64: the arrays are small, and the exponents
of float32 end at 88.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from otadet.assign.candidates import gather
from otadet.assign.matcher import MatchProblem, MatchResult

AMBIGUOUS = 0.9
"""A point is ambiguous when neither an object nor the background has this share (paper, 4.2)."""

LOG_FLOOR = 1e-8
"""Added to the background's supply before its logarithm is taken (official code)."""

REST_FLOOR = 1e-12
"""Keeps the background's share positive where rounding would leave nothing of it."""

TIE_DECIMALS = 6
"""Shares that agree to so many decimals are equal: two objects that have only one point, and the
same one, get half of it each but for rounding, and rounding must not decide."""


@dataclass(frozen=True, eq=False)
class TransportPlan:
    """Shares of every candidate point for given ``a``.

    Attributes:
        share: ``[G, K]`` share of the point that the object takes.
        exponent: ``[G, K]`` ``a + r``, -inf in unused slots.
        log_total: ``[U]`` logarithm of ``S``.
        local: ``[G, K]`` int64 index of the point.
    """

    share: Tensor
    exponent: Tensor
    log_total: Tensor
    local: Tensor

    @cached_property
    def received(self) -> Tensor:
        """``[G]`` sum of each object's shares."""
        return self.share.sum(dim=1)

    @cached_property
    def background(self) -> Tensor:
        """``[U]`` share of the background."""
        return self.log_total.neg().exp_()

    @cached_property
    def log_share(self) -> Tensor:
        """``[G, K]`` logarithm of ``share``, -inf in unused slots."""
        return self.exponent - gather(self.log_total, self.local)


@dataclass(frozen=True, eq=False)
class TransportProblem:
    """Match problem in units of eps, as the transport solvers take it.

    Attributes:
        ratio: ``[G, K]`` ``r``, -inf in unused slots.
        local: ``[G, K]`` int64 index of the point.
        size: number of points ``U``.
        supply: ``[G]``; 0 for an object without any pair.
        image: ``[G]`` int64.
        point_image: ``[U]`` int64.
        used: ``[U]`` bool, points that are anybody's candidate.
        usable: ``[B]`` points of the image, candidates or not.
    """

    ratio: Tensor
    local: Tensor
    size: int
    supply: Tensor
    image: Tensor
    point_image: Tensor
    used: Tensor
    usable: Tensor

    @property
    def tiny(self) -> float:
        """Keeps a division by a row without any mass from being 0 / 0, and its result finite."""
        return float(torch.finfo(self.ratio.dtype).tiny ** 0.6)

    @cached_property
    def num_used(self) -> Tensor:
        """``[B]`` points of the image that are anybody's candidate."""
        return torch.zeros_like(self.usable).index_add_(
            0, self.point_image, self.used.to(self.usable)
        )

    @cached_property
    def background_supply(self) -> Tensor:
        """``[B]`` what is left for the background."""
        return (self.usable - self.per_image(self.supply)).clamp(min=0.0)

    def plan(self, a: Tensor) -> TransportPlan:
        """Compute the plan for ``a [G]``."""
        x = self.ratio + a[:, None]
        where = self.local.flatten()
        largest = x.new_zeros(self.size).scatter_reduce_(0, where, x.flatten(), "amax")
        term = torch.exp(x - gather(largest, self.local))
        floor = torch.exp(-largest)
        total = floor.scatter_add(0, where, term.flatten())
        return TransportPlan(term / gather(total, self.local), x, largest + total.log(), self.local)

    def pick(
        self, objects: Tensor, images: Tensor, yes: TransportPlan, no: TransportPlan
    ) -> TransportPlan:
        """Return one of two plans in each image.

        ``yes`` where ``images [B]``, which for their objects is ``objects [G]``.
        """
        row = objects[:, None]
        return TransportPlan(
            torch.where(row, yes.share, no.share),
            torch.where(row, yes.exponent, no.exponent),
            torch.where(gather(images, self.point_image), yes.log_total, no.log_total),
            self.local,
        )

    def rest(self, received: Tensor) -> Tensor:
        """Return ``[B]`` what the background serves when objects receive ``received [G]``."""
        return (self.usable - self.per_image(received)).clamp_(min=REST_FLOOR)

    def per_image(self, value: Tensor) -> Tensor:
        """Return ``[B]`` sums of ``value [G]``."""
        if self.usable.shape[0] == 1:
            return value.sum(dim=0, keepdim=True)
        return torch.zeros_like(self.usable).index_add_(0, self.image, value)


def transport_problem(problem: MatchProblem, eps: float) -> TransportProblem:
    """Convert a match problem to units of ``eps``, in float64."""
    batch, candidates = problem.batch, problem.candidates
    ratio = (problem.cost.background - problem.cost.object).double() / eps
    return TransportProblem(
        ratio=torch.where(candidates.valid, ratio, -torch.inf),
        local=candidates.local,
        size=candidates.size,
        supply=torch.where(candidates.reachable, problem.supply, 0.0).double(),
        image=batch.gt_image,
        point_image=candidates.point_image(batch),
        used=candidates.used(),
        usable=batch.usable_points.double(),
    )


def ambiguous_points(
    pairs: TransportProblem, plan: TransportPlan, received: Tensor
) -> tuple[Tensor, Tensor]:
    """Find points without a share of 0.9, on the plan whose rows sum to the supply.

    That plan is what the last half step of Sinkhorn leaves, and what the paper's Table 2 counts
    on. Where rows and columns both sum to what they should there is only one plan.

    Returns:
        Which candidate points ``[U]`` bool, and the number ``[B]`` of all points.
    """
    row = pairs.supply / received.clamp(min=pairs.tiny)
    back = (pairs.background_supply + LOG_FLOOR) / pairs.rest(received)
    largest = plan.background * gather(back, pairs.point_image)
    served = (plan.share * row[:, None]).flatten()
    largest = largest.scatter_reduce(0, pairs.local.flatten(), served, "amax")
    unclear = pairs.used & (largest < AMBIGUOUS)
    inside = torch.zeros_like(pairs.usable).index_add_(0, pairs.point_image, unclear.to(row))
    return unclear, inside + (pairs.usable - pairs.num_used) * (back < AMBIGUOUS)


def transport_result(
    pairs: TransportProblem,
    plan: TransportPlan,
    winner: Tensor,
    supply: Tensor,
    iterations: Tensor,
    converged: Tensor,
) -> MatchResult:  # fmt: skip
    """Make a solver's result from its plan, in which every point is served exactly once."""
    received = plan.received
    contested, ambiguous = ambiguous_points(pairs, plan, received)
    return MatchResult(
        winner=winner,
        preference=pairs.ratio,
        supply=supply.float(),
        received=received.float(),
        ambiguous=ambiguous.float(),
        contested=contested,
        iterations=iterations,
        converged=converged,
        plan=plan.share,
    )
