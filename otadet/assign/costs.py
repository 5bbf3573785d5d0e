"""Costs of giving a point to an object, and of leaving it background.

Costs add and scale: ``FocalCost() + 1.5 * IoUCost()``. None of them makes a tensor of objects x
points x classes: what a pair costs is what the point costs as background plus the change in the
object's own class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, gather
from otadet.assign.flat_batch import FlatBatch
from otadet.boxes import IOU_EPS, aligned_iou
from otadet.losses import focal_background, focal_terms, giou_loss


@dataclass(frozen=True, eq=False)
class PairCost:
    """Costs of every candidate pair, float32 ``[G, K]``; anything in unused slots.

    Attributes:
        object: cost of giving the point to the object.
        background: cost of leaving the same point background.
    """

    object: Tensor
    background: Tensor


class Cost(ABC):
    """A cost of pairs."""

    @abstractmethod
    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        """Costs of all pairs; ``iou [G, K]`` is that of the predicted with the object's box."""

    def __add__(self, other: Cost) -> Cost:
        return WeightedSum(terms_of(self) + terms_of(other))

    def __mul__(self, weight: float) -> Cost:
        return WeightedSum(tuple((weight * w, c) for w, c in terms_of(self)))

    __rmul__ = __mul__


@dataclass(frozen=True)
class WeightedSum(Cost):
    """What adding and scaling costs makes.

    Attributes:
        terms: pairs of weight and cost.
    """

    terms: tuple[tuple[float, Cost], ...]

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        total = PairCost(torch.zeros_like(iou), torch.zeros_like(iou))
        for weight, cost in self.terms:
            part = cost(batch, candidates, iou)
            total = PairCost(
                total.object.add(part.object, alpha=weight),
                total.background.add(part.background, alpha=weight),
            )
        return total


def terms_of(cost: Cost) -> tuple[tuple[float, Cost], ...]:
    """Return the pairs of weight and cost that a cost is the sum of."""
    return cost.terms if isinstance(cost, WeightedSum) else ((1.0, cost),)


@dataclass(frozen=True)
class FocalCost(Cost):
    """Focal loss summed over classes (Lin et al. 2017, eq. 5; OTA eq. 2 and 3).

    Attributes:
        alpha: weight of the positive label.
        gamma: focusing power.
    """

    alpha: float = 0.25
    gamma: float = 2.0

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        background = focal_background(candidates.at_points(batch.logits), *self._settings)
        background = gather(background, candidates.local)
        positive, negative = focal_terms(own_logits(batch, candidates), *self._settings)
        return PairCost(background + (positive - negative), background)

    @property
    def _settings(self) -> tuple[float, float]:
        return self.alpha, self.gamma


@dataclass(frozen=True)
class BCECost(Cost):
    """Binary cross entropy of the score ``sqrt(class x quality)``, summed over classes (YOLOX).

    Without a quality branch the score is the class probability alone. Logarithms stop at -100,
    as torch's ``binary_cross_entropy`` does.
    """

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        score = candidates.at_points(batch.logits).float().sigmoid()
        if batch.quality is not None:
            quality = candidates.at_points(batch.quality).float().sigmoid()
            score = (score * quality[:, None]).sqrt()
        background = -torch.log1p(-score).clamp(min=-100).sum(dim=-1)
        background = gather(background, candidates.local)
        score = own_logits(batch, candidates).sigmoid()
        if batch.quality is not None:
            score = (score * gather(batch.quality, candidates.point).float().sigmoid()).sqrt()
        positive = -score.log().clamp(min=-100)
        negative = -torch.log1p(-score).clamp(min=-100)
        return PairCost(background + (positive - negative), background)


@dataclass(frozen=True)
class IoUCost(Cost):
    """``-log IoU`` of the predicted with the object's box (Yu et al. 2016).

    Attributes:
        clamp: smallest IoU whose logarithm is taken (official OTA: float32 epsilon).
        add: added to the IoU before (YOLOX: 1e-8).
    """

    clamp: float = IOU_EPS
    add: float = 0.0

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        loss = -(iou + self.add).clamp(min=self.clamp).log()
        return PairCost(loss, torch.zeros_like(loss))


@dataclass(frozen=True)
class GIoUCost(Cost):
    """``1 - GIoU`` of the predicted with the object's box (Rezatofighi et al. 2019)."""

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        predicted = gather(batch.boxes, candidates.point)
        wanted = batch.gt_boxes[:, None].expand_as(predicted)
        loss = giou_loss(predicted, wanted)
        return PairCost(loss, torch.zeros_like(loss))


def pair_iou(batch: FlatBatch, candidates: Candidates) -> Tensor:
    """Return the IoU ``[G, K]`` of predicted boxes with the objects' boxes; 0 in unused slots."""
    iou = aligned_iou(gather(batch.boxes, candidates.point), batch.gt_boxes[:, None])
    return torch.where(candidates.valid, iou, 0.0)


def own_logits(batch: FlatBatch, candidates: Candidates) -> Tensor:
    """Float32 logits ``[G, K]`` of the candidates for their object's class."""
    place = candidates.point * batch.logits.shape[1] + batch.gt_labels[:, None]
    return gather(batch.logits.flatten(), place).float()
