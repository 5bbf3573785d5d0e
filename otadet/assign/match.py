"""What a matcher is asked and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates
from otadet.assign.costs import PairCost
from otadet.assign.scene import Scene


@dataclass(frozen=True, eq=False)
class Problem:
    """Who could get whom, at which cost, and how many each object asks for.

    Attributes:
        scene: the batch.
        candidates: the pairs.
        cost: their costs and the same points' cost as background.
        iou: ``[G, K]``.
        supply: ``[G]`` float32 points that each object asks for.
    """

    scene: Scene
    candidates: Candidates
    cost: PairCost
    iou: Tensor
    supply: Tensor


@dataclass(frozen=True, eq=False)
class Solution:
    """Who gets whom, and how well the question was answered.

    Attributes:
        winner: ``[U]`` int64 index into the flattened table of pairs, -1 for background.
        preference: ``[G, K]`` float; how much an object wants a point, larger is more.
        supply: ``[G]`` what the matcher set out to hand to each object: the supply asked for,
            less what it found that no point can take.
        received: ``[G]`` what its answer hands to each object, before it is rounded to whole
            points.
        ambiguous: ``[B]`` points that more than one supplier would serve.
        iterations: ``[B]`` int64 steps taken, 0 where nothing iterates.
        converged: ``[B]`` bool.
        plan: ``[G, K]`` share of each point that the object serves, ``None`` where all shares
            are whole.
    """

    winner: Tensor
    preference: Tensor
    supply: Tensor
    received: Tensor
    ambiguous: Tensor
    iterations: Tensor
    converged: Tensor
    plan: Tensor | None = None

    def marginal_error(self, scene: Scene) -> Tensor:
        """``[B]``: largest ``|received - supply|`` of an object of the image."""
        worst = torch.zeros(scene.batch, device=scene.device)
        gap = (self.received - self.supply).abs().float()
        return worst.scatter_reduce_(0, scene.gt_image, gap, "amax")


class Match(ABC):
    """Decides who gets whom."""

    shares_points: ClassVar[bool] = True
    """Whether objects that together ask for more points than there are must first ask for less."""

    @abstractmethod
    def __call__(self, problem: Problem) -> Solution:
        """Solve all images of the batch at once."""


def hard_solution(
    scene: Scene,
    candidates: Candidates,
    winner: Tensor,
    claimed: Tensor,
    preference: Tensor,
    supply: Tensor | None = None,
) -> Solution:
    """The answer of a rule that hands out whole points.

    Args:
        scene: the batch.
        candidates: the pairs.
        winner: ``[U]`` as in :class:`Solution`.
        claimed: ``[G, K]`` bool, pairs that the rule chose before it settled conflicts; a point
            that two objects claim is ambiguous.
        preference: ``[G, K]`` larger is more wanted.
        supply: ``[G]``; the number of claimed points where the rule knows no other.
    """
    device = scene.device
    count = torch.zeros(candidates.size, device=device)
    count.index_add_(0, candidates.local.flatten(), claimed.flatten().float())
    contested = (claimed & (count[candidates.local] > 1)).float() / count[candidates.local].clamp(
        min=1.0
    )
    return Solution(
        winner=winner,
        preference=preference,
        supply=claimed.sum(dim=1).float() if supply is None else supply,
        received=received_points(winner, candidates),
        ambiguous=scene.per_image(contested.sum(dim=1)).round(),
        iterations=torch.zeros(scene.batch, dtype=torch.int64, device=device),
        converged=torch.ones(scene.batch, dtype=torch.bool, device=device),
    )


def received_points(winner: Tensor, candidates: Candidates) -> Tensor:
    """``[G]`` float32 number of points that each object won."""
    objects = candidates.point.shape[0]
    row = torch.div(winner, candidates.slots, rounding_mode="floor")
    row = torch.where(winner >= 0, row, objects)
    total = torch.zeros(objects + 1, device=winner.device)
    return total.index_add_(0, row, torch.ones_like(row, dtype=torch.float32))[:objects]
