"""Probabilistic anchor assignment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.base import Assigner
from otadet.assign.candidates import best_pair, build_candidates, gather, table_of
from otadet.assign.costs import Cost, FocalCost, GIoUCost, pair_iou
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.grid import num_levels
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.rules import rule_result, square_anchors
from otadet.assign.topk import cheapest
from otadet.boxes import aligned_iou, pairwise_iou

EM_STEPS = 30
"""Steps of expectation and maximisation; one-dimensional mixtures of 45 points settle in ten."""

VARIANCE_FLOOR = 1e-6
"""Added to variances (scikit-learn's default, which the authors' code uses)."""


@dataclass(frozen=True)
class PAA(Assigner):
    """Probabilistic anchor assignment (Kim and Lee 2020).

    An object's candidates are scored by their losses, two Gaussians are fitted to the losses, and
    those of the better component are positive.

    Candidates are the anchors of IoU at least ``min_iou`` whose best object it is, of these the
    ``k`` of the least loss on every level. Positive are, in order of loss, the members of the
    better component up to its most likely one (the authors' rule c).

    Attributes:
        k: candidates a level.
        min_iou: least IoU of a candidate's anchor; an object's best anchor is one in any case.
        anchor_scale: one square anchor a point, of this many strides.
        cost: the loss that scores.
        min_positives: 1 gives an object that ended without a point one back; 0 is as published.
    """

    k: int = 9
    min_iou: float = 0.1
    anchor_scale: float = 8.0
    cost: Cost = FocalCost() + 1.3 * GIoUCost()
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; compares every anchor and object."""
        anchors = square_anchors(batch, self.anchor_scale)
        dense = pairwise_iou(batch.gt_boxes, anchors)
        best = (dense > 0) & (dense >= dense.amax(dim=1, keepdim=True))
        candidates = build_candidates(batch, *table_of((dense >= self.min_iou) | best), None)
        theirs = gather(anchors, candidates.point % batch.num_points)
        anchor_iou = aligned_iou(theirs, batch.gt_boxes[:, None])
        foremost = best_pair(anchor_iou, candidates.valid, candidates.local, candidates.size)
        mine = candidates.won(foremost)
        cost = self.cost(batch, candidates, pair_iou(batch, candidates)).object
        level = gather(batch.points.level, candidates.point % batch.num_points)
        count = torch.full((batch.num_objects,), float(self.k), device=batch.device)
        sample = torch.zeros_like(mine)
        for index in range(num_levels(batch.points)):
            sample |= cheapest(cost, mine & (level == index), count)
        return rule_result(batch, candidates, better_component(cost, sample), -cost)


def better_component(loss: Tensor, sample: Tensor) -> Tensor:
    """Return ``[G, K]`` bool: members of each row's better component, up to its most likely member.

    Args:
        loss: ``[G, K]``.
        sample: ``[G, K]`` bool, the entries to which a row's two Gaussians are fitted. Fewer than
            two are all taken.
    """
    loss = loss.double()
    weight = sample.double()
    low = torch.where(sample, loss, torch.inf).amin(dim=1)
    high = torch.where(sample, loss, -torch.inf).amax(dim=1)
    mean = torch.nan_to_num(torch.stack([low, high]), posinf=0.0, neginf=0.0)
    variance = torch.ones_like(mean)
    share = torch.full_like(mean, 0.5)
    for _ in range(EM_STEPS):
        member = _log_density(loss, mean, variance, share).softmax(dim=0) * weight
        size = member.sum(dim=2).clamp(min=1e-12)
        mean = (member * loss).sum(dim=2) / size
        variance = (member * (loss - mean[..., None]).square()).sum(dim=2) / size + VARIANCE_FLOOR
        share = size / size.sum(dim=0)
    density = _log_density(loss, mean, variance, share)
    inside = sample & (density[0] >= density[1])
    likely = torch.where(inside, density.logsumexp(dim=0), -torch.inf)
    limit = loss.gather(1, likely.argmax(dim=1, keepdim=True))
    few = weight.sum(dim=1, keepdim=True) < 2
    return sample & (few | (inside & (loss <= limit)))


def _log_density(loss: Tensor, mean: Tensor, variance: Tensor, share: Tensor) -> Tensor:
    """Return ``[2, G, K]`` log of share times density."""
    distance = (loss - mean[..., None]).square() / variance[..., None]
    scale = share.log() - 0.5 * (variance.log() + math.log(2 * math.pi))
    return scale[..., None] - 0.5 * distance
