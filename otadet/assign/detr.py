"""DETR's one-to-one matching over all points of a dense head."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, gather
from otadet.assign.composed import Composed
from otadet.assign.costs import Cost, GIoUCost, PairCost, own_logits
from otadet.assign.exact import Hungarian
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import Matcher
from otadet.assign.priors import Everywhere, Prior
from otadet.assign.supply import FixedK, Supply
from otadet.losses import box_l1_loss
from otadet.points import input_size


@dataclass(frozen=True)
class ProbabilityCost(Cost):
    """Negative probability ``-p`` of the object's class (Carion et al. 2020, section 3.1).

    Without the logarithm it is of the size of the box terms.
    """

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        cost = -own_logits(batch, candidates).sigmoid()
        return PairCost(cost, torch.zeros_like(cost))


@dataclass(frozen=True)
class BoxL1Cost(Cost):
    """L1 distance of centre, width and height, in units of the input's sides (ibid.)."""

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        predicted = gather(batch.boxes, candidates.point)
        cost = box_l1_loss(predicted, batch.gt_boxes[:, None], input_size(batch.points))
        return PairCost(cost, torch.zeros_like(cost))


@dataclass(frozen=True)
class DETRMatch(Composed):
    """One point of the whole image for every object, at the least total cost.

    The matching of DETR, where the queries are the points of a dense head: an object's point
    may lie anywhere, and no other point is positive for it, so that NMS is not needed.
    The table is objects x points and is solved on the host (scipy), one image after the other.
    """

    prior: Prior = Everywhere()
    cost: Cost = ProbabilityCost() + 5.0 * BoxL1Cost() + 2.0 * GIoUCost()
    supply: Supply = FixedK(1)
    match: Matcher = Hungarian()
