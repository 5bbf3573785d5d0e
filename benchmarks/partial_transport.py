"""Transport that may leave labels unserved, for ``exchanges.py``: what a hidden object costs.

OTA serves every label, if need be with a point that fits another object better. Here the
background's supply is free, and an object's label goes unserved where serving it costs too much.
In the dual that limits an object's potential ``u``, the price that it pays for a point
(``otadet/assign/transport.py``): by a number, or softly.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from otadet.assign import Sinkhorn
from otadet.assign.candidates import best_pair, gather
from otadet.assign.matcher import Matcher, MatchProblem, MatchResult
from otadet.assign.topk import cheapest
from otadet.assign.transport import TransportProblem, transport_problem, transport_result


@dataclass(frozen=True)
class Unserved(Matcher):
    """Sinkhorn iterations with the background's supply free and the objects' prices limited.

    A point goes to whoever has the largest share of it, so that an object may end without any.

    Attributes:
        eps: strength of the entropic term, in units of cost.
        iterations: two objects that want one point raise its price by ``eps log 2`` in each at
            most, and by less the more labels they have, so that 50 are far too few.
    """

    eps: float = 0.1
    iterations: int = 2000

    @abstractmethod
    def limit(self, pairs: TransportProblem) -> Callable[[Tensor], Tensor]:
        """Return what makes of the prices ``[G]`` that would serve all labels those that are paid.

        In units of eps.
        """

    def __call__(self, problem: MatchProblem) -> MatchResult:
        pairs = transport_problem(problem, self.eps)
        limited = self.limit(pairs)
        a = torch.zeros_like(pairs.supply)
        for _ in range(self.iterations):
            log_share = pairs.plan(a).log_share
            a = a + pairs.supply.log() - log_share.logsumexp(dim=1)
            a = torch.where(pairs.supply > 0, limited(a), 0.0)
        plan = pairs.plan(a)
        take = (pairs.ratio > -torch.inf) & (plan.share >= gather(plan.background, pairs.local))
        scores = [plan.share.round(decimals=6), pairs.ratio]
        winner = best_pair(scores, take, pairs.local, pairs.size)
        steps = torch.full((problem.batch.num_images,), self.iterations, device=a.device)
        return transport_result(pairs, plan, winner, pairs.supply, steps, steps > 0)


@dataclass(frozen=True)
class Partial(Unserved):
    """Partial transport: one price at most for all objects of an image.

    With ``own``, an object has no more points to choose from than labels. Then no label can move
    elsewhere and the points separate: each goes to the cheapest of the objects that have it among
    their k cheapest and pay no more than the price. But for the price, and for points that a third
    object would have cheaper, that is SimOTA's rule.

    Attributes:
        above: of the most expensive label that is served, above what the image's median object
            pays for its cheapest point, in units of cost.
        own: labels go to the object's own cheapest points, as many as it has labels.
    """

    above: float = 4.0
    own: bool = False

    def __call__(self, problem: MatchProblem) -> MatchResult:
        candidates = problem.candidates
        if self.own:
            kept = cheapest(problem.cost.object, candidates.valid, problem.supply)
            problem = replace(problem, candidates=replace(candidates, valid=kept))
        return super().__call__(problem)

    def limit(self, pairs: TransportProblem) -> Callable[[Tensor], Tensor]:
        cheapest = -pairs.ratio.amax(dim=1)
        most = torch.full_like(pairs.supply, torch.inf)
        for image in pairs.image.unique():
            own = pairs.image == image
            paid = cheapest[own]
            most[own] = paid[paid.isfinite()].quantile(0.5) + self.above / self.eps
        return lambda a: torch.minimum(a, most)


@dataclass(frozen=True)
class Unbalanced(Unserved):
    """Unbalanced transport: supplies may be missed at ``rho`` times the KL divergence.

    The framework of De Plaen et al. (CVPR 2023), in which large ``rho`` is OTA.

    Attributes:
        rho: in units of cost.
    """

    rho: float = 10.0

    def limit(self, pairs: TransportProblem) -> Callable[[Tensor], Tensor]:
        return lambda a: a * (self.rho / (self.rho + self.eps))


@dataclass(frozen=True)
class FreeBackground(Matcher):
    """Transport in which a point costs the background nothing, so that objects' costs decide.

    Attributes:
        then: the matcher that follows.
    """

    then: Matcher = Sinkhorn()  # noqa: RUF009 - a frozen value

    def __call__(self, problem: MatchProblem) -> MatchResult:
        cost = replace(problem.cost, background=torch.zeros_like(problem.cost.background))
        return self.then(replace(problem, cost=cost))
