"""Matcher interface: ``MatchProblem`` in, ``MatchResult`` out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates
from otadet.assign.costs import PairCost
from otadet.assign.flat_batch import FlatBatch


@dataclass(frozen=True, eq=False)
class MatchProblem:
    """Candidate pairs of a batch, their costs and the objects' supplies.

    Attributes:
        batch: the batch.
        candidates: the pairs.
        cost: their costs and the same points' cost as background.
        iou: ``[G, K]``.
        supply: ``[G]`` float32 points that each object shall get.
        requested: ``[G]`` what the supply rule gave, before it was scaled down to the number of
            points.
        ignored: ``[N]`` bool, points that the assigner leaves out of the loss (RetinaNet's band
            between its thresholds), or ``None``.
    """

    batch: FlatBatch
    candidates: Candidates
    cost: PairCost
    iou: Tensor
    supply: Tensor
    requested: Tensor
    ignored: Tensor | None = None


@dataclass(frozen=True, eq=False)
class MatchResult:
    """Winner of each candidate point, and how well the problem was solved.

    Attributes:
        winner: ``[U]`` int64 index into the flattened table of pairs, -1 for background.
        preference: ``[G, K]`` float; how much an object wants a point, larger is more.
        supply: ``[G]`` points that the matcher aimed at: the problem's supply, less what it found
            that no point can take.
        received: ``[G]`` points that each object gets, before rounding to whole points.
        ambiguous: ``[B]`` points shared by several objects or the background.
        contested: ``[U]`` bool: which of the candidate points these are.
        iterations: ``[B]`` int64 steps taken, 0 where nothing iterates.
        converged: ``[B]`` bool.
        plan: ``[G, K]`` share of each point that the object serves, ``None`` where all shares
            are whole.
        claimed: ``[G, K]`` bool, pairs that a rule chose before it resolved conflicts; ``None`` for
            solvers, which have no conflicts.
    """

    winner: Tensor
    preference: Tensor
    supply: Tensor
    received: Tensor
    ambiguous: Tensor
    contested: Tensor
    iterations: Tensor
    converged: Tensor
    plan: Tensor | None = None
    claimed: Tensor | None = None

    def marginal_error(self, batch: FlatBatch) -> Tensor:
        """Return ``[B]``: largest ``|received - supply|`` of an object of the image."""
        worst = torch.zeros(batch.num_images, device=batch.device)
        gap = (self.received - self.supply).abs().float()
        return worst.scatter_reduce_(0, batch.gt_image, gap, "amax")


class Matcher(ABC):
    """Solves a match problem."""

    shares_points: ClassVar[bool] = True
    """Whether supplies are first scaled down to the number of points of the image."""

    @abstractmethod
    def __call__(self, problem: MatchProblem) -> MatchResult:
        """Solve all images of the batch at once."""


def hard_result(
    problem: MatchProblem,
    winner: Tensor,
    claimed: Tensor,
    preference: Tensor,
    supply: Tensor | None = None,
) -> MatchResult:
    """Return the result of a rule that hands out whole points.

    Args:
        problem: the problem that was solved.
        winner: ``[U]`` as in :class:`MatchResult`.
        claimed: ``[G, K]`` bool, pairs that the rule chose before it resolved conflicts; a point
            that two objects claim is ambiguous.
        preference: ``[G, K]`` larger is more wanted.
        supply: ``[G]``; the number of claimed points without it.
    """
    batch, candidates = problem.batch, problem.candidates
    count = torch.zeros(candidates.size, device=batch.device)
    count.index_add_(0, candidates.local.flatten(), claimed.flatten().float())
    contested = count > 1
    image = candidates.point_image(batch)
    ambiguous = torch.zeros(batch.num_images, device=batch.device)
    return MatchResult(
        winner=winner,
        preference=preference,
        supply=claimed.sum(dim=1).float() if supply is None else supply,
        received=received_points(winner, candidates),
        ambiguous=ambiguous.index_add_(0, image, contested.float()),
        contested=contested,
        iterations=torch.zeros(batch.num_images, dtype=torch.int64, device=batch.device),
        converged=torch.ones(batch.num_images, dtype=torch.bool, device=batch.device),
        claimed=claimed,
    )


def received_points(winner: Tensor, candidates: Candidates) -> Tensor:
    """Return ``[G]`` float32 number of points that each object won."""
    objects = candidates.point.shape[0]
    row = torch.div(winner, candidates.slots, rounding_mode="floor")
    row = torch.where(winner >= 0, row, objects)
    total = torch.zeros(objects + 1, device=winner.device)
    return total.index_add_(0, row, torch.ones_like(row, dtype=torch.float32))[:objects]
