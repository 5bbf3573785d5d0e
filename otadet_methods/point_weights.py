"""SAPD and NoisyAnchors: how much a positive point counts, and what its class learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import ltrb_from_points
from otadet.criteria import Criterion, FCOSCriterion, Matched, Weighing, Weights, centerness
from otadet.exp.methods import Method
from otadet.models import Quality
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.fsaf import FSAF

ROOM = 0.01
"""Least ``1 - x`` of :class:`Cleanliness`, or a single perfect point would take all the weight."""


@dataclass(frozen=True)
class CenterWeight:
    """SAPD's soft-weighted anchor points (Zhu et al. 2020): lower near a side of the object.

    Attributes:
        power: eta; the weight is ``(min(l, r) min(t, b) / (max(l, r) max(t, b)))^eta``.
    """

    power: float = 1.0

    def __call__(self, matched: Matched) -> Weights:
        """Return the weights of a batch, which depend on places alone."""
        sides = ltrb_from_points(matched.preds.points.xy, matched.boxes)
        return Weights(centerness(sides).square().pow(self.power))


@dataclass(frozen=True)
class Cleanliness:
    """Weights and soft labels of Learning from Noisy Anchors (Li et al. 2020).

    With the IoU ``l`` of the predicted box and the probability ``s`` of the object's class, the
    cleanliness ``alpha l + (1 - alpha) s`` is the class's soft label, and the weight is
    ``(alpha f(l) + (1 - alpha) f(s))^gamma``, ``f(x) = 1 / (1 - x)``, divided by its mean over
    the image's positives.

    Attributes:
        alpha: share of the localisation.
        gamma: power of the weight.
    """

    alpha: float = 0.75
    gamma: float = 1.0

    def __call__(self, matched: Matched) -> Weights:
        """Return weights and soft labels by the predictions as they are now."""
        label = matched.labels.clamp(min=0)[..., None]
        score = matched.preds.cls_logits.detach().gather(-1, label).squeeze(-1).float().sigmoid()
        iou = matched.assignment.iou
        clean = self.alpha * iou + (1 - self.alpha) * score
        weight = self.alpha * _odds(iou) + (1 - self.alpha) * _odds(score)
        weight = torch.where(matched.positive, weight.pow(self.gamma), 0.0)
        count = matched.positive.sum(dim=1, keepdim=True)
        mean = weight.sum(dim=1, keepdim=True) / count.clamp(min=1)
        return Weights(weight / mean.clamp(min=torch.finfo(torch.float32).tiny), clean)


def _odds(value: Tensor) -> Tensor:
    return 1 / (1 - value).clamp(min=ROOM)


def _weighed(weigh: Weighing) -> Callable[[Assigner, Quality], Criterion]:
    return lambda assigner, quality: FCOSCriterion(assigner, quality, weigh=weigh)


SAPD = Method(FSAF(), _weighed(CenterWeight()))
"""``method=sapd``: FSAF's level, points weighed by their place."""
NOISY_ANCHORS = Method(AnchorBag(30), _weighed(Cleanliness()))
"""``method=noisyanchors``: soft labels and weights by how well a point predicts."""
