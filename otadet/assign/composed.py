"""Assigners that are a composition of prior, cost, supply and matcher; OTA, SimOTA and LLA."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from otadet.assign.base import Assigner
from otadet.assign.candidates import gather
from otadet.assign.costs import BCECost, Cost, FocalCost, GIoUCost, IoUCost, PairCost, pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import Matcher, MatchProblem, MatchResult
from otadet.assign.priors import CenterBox, InsideBox, Pooled, Prior, SoftCenter, UnionBox
from otadet.assign.sinkhorn import Sinkhorn
from otadet.assign.supply import DynamicK, FixedK, Supply
from otadet.assign.topk import TopK


@dataclass(frozen=True)
class Composed(Assigner):
    """Prior, cost, supply and matcher, each exchangeable alone.

    Attributes:
        prior: which points may serve which object.
        cost: what it costs.
        supply: how many points each object shall get.
        match: solves for the assignment.
        min_positives: 1 gives an object that lost all its points one back; 0 does not.
    """

    prior: Prior
    cost: Cost
    supply: Supply
    match: Matcher
    min_positives: int = 1

    def __post_init__(self) -> None:
        if self.min_positives not in (0, 1):
            raise ValueError(f"min_positives: expected 0 or 1, got {self.min_positives}")

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object."""
        candidates = self.prior(batch)
        iou = pair_iou(batch, candidates)
        cost = self.cost(batch, candidates, iou)
        if candidates.penalty is not None:
            # In float32 the penalty would swallow what orders the penalised pairs.
            cost = PairCost(cost.object.double() + candidates.penalty, cost.background)
        requested = self.supply(batch, candidates, iou)
        supply = clamp_supply(batch, requested) if self.match.shares_points else requested
        problem = MatchProblem(batch, candidates, cost, iou, supply, requested)
        return problem, self.match(problem)


def clamp_supply(batch: FlatBatch, requested: Tensor) -> Tensor:
    """Return ``[G]`` supplies scaled down together where they exceed the image's usable points.

    Scaled supplies are no whole numbers; matchers that need some round them down.
    """
    asked = batch.per_image(requested)
    share = (batch.usable_points / asked.clamp(min=1.0)).clamp(max=1.0)
    return requested * gather(share, batch.gt_image)


@dataclass(frozen=True)
class OTA(Composed):
    """Optimal Transport Assignment (Ge et al., CVPR 2021) with the official code's constants."""

    prior: Prior = CenterBox(2.5, inside_box=True)
    cost: Cost = FocalCost() + 1.5 * IoUCost()
    supply: Supply = DynamicK(20)
    match: Matcher = Sinkhorn(0.1, 50)

    @staticmethod
    def paper(q: int = 20, iterations: int = 50, eps: float = 0.1, penalty: float = 3.0) -> OTA:
        """Return OTA as section 3.3 of the paper has it.

        The official code narrowed two things: there k sums over an object's own candidates, and
        no point beyond the centre prior may serve it.

        Args:
            q: how many of the image's predictions k sums the IoUs of.
            iterations: the paper's T.
            eps: the paper's gamma.
            penalty: additional cost of a point beyond the 25 closest of each level.
        """
        return OTA(
            prior=SoftCenter(5, penalty),
            supply=DynamicK(q, over="all"),
            match=Sinkhorn(eps, iterations),
        )

    @staticmethod
    def short() -> OTA:
        """Return OTA for short runs, as on data of one's own, by what docs/results.md shows.

        Two numbers differ from what was published: points within 1.5 strides of an object's
        centre serve it, also beyond its box, and k sums its 5 largest IoUs.
        """
        return OTA(prior=CenterBox(1.5, inside_box=False), supply=DynamicK(5))

    @staticmethod
    def yolox() -> OTA:
        """Return OTA's prior, supply and transport with YOLOX's cost.

        YOLOX's class branch learns on positives only: a focal loss over all points, as in OTA's
        own cost, would take its outputs on background for evidence.
        """
        return OTA(cost=BCECost() + 3.0 * IoUCost(clamp=0.0, add=1e-8))


@dataclass(frozen=True)
class SimOTA(Composed):
    """SimOTA in YOLOX's current form.

    As published it leaves objects in crowds without any point; ``min_positives=1`` repairs it.
    """

    prior: Prior = CenterBox(1.5, inside_box=False)
    cost: Cost = BCECost() + 3.0 * IoUCost(clamp=0.0, add=1e-8)
    supply: Supply = DynamicK(10, over="image")
    match: Matcher = TopK()
    min_positives: int = 0

    @staticmethod
    def short() -> SimOTA:
        """Return SimOTA for short runs, as on data of one's own, by what docs/results.md shows.

        One number differs from what was published: k sums the 5 largest IoUs, not 10.
        """
        return SimOTA(supply=DynamicK(5, over="image"))

    @staticmethod
    def yolox(min_positives: int = 0) -> SimOTA:
        """Return YOLOX's current form to the letter.

        An object with fewer points within its centre box than its supply takes those of the
        image's other objects, at a penalty. Scans all points; the default takes only its own and
        is the same wherever those suffice.
        """
        return SimOTA(prior=Pooled(CenterBox(1.5, inside_box=False)), min_positives=min_positives,
                      supply=DynamicK(10, over="object"))  # fmt: skip

    @staticmethod
    def union(min_positives: int = 0) -> SimOTA:
        """Return YOLOX's older form.

        Any point in a box or a centre box of 2.5 strides may be chosen, at a penalty unless it is
        in both of the object's own.
        """
        return SimOTA(
            prior=UnionBox(2.5), supply=DynamicK(10, over="object"), min_positives=min_positives
        )


@dataclass(frozen=True)
class LLA(Composed):
    """Loss-aware label assignment (Ge et al. 2021).

    The 10 points inside an object's box of the least ``class loss + lambda * box loss`` are
    positive; a point of several objects goes to the least.

    Losses are the focal loss and GIoU's, lambda is 1.
    """

    prior: Prior = InsideBox()
    cost: Cost = FocalCost() + 1.0 * GIoUCost()
    supply: Supply = FixedK(10)
    match: Matcher = TopK()
