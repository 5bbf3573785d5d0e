"""AutoAssign: where and how much a point is positive is learned with everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from otadet.assign import Assigner, InsideBox
from otadet.boxes import aligned_iou
from otadet.exp.methods import Method
from otadet.models import DenseHead, FCOSHead, RetinaHead
from otadet.types import LossReport, Predictions, Target
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.bags import Bags, bag_report, bags_of, log_sigmoids, masked

ALMOST_ZERO = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class PriorPredictions(Predictions):
    """Predictions of a head that learns for each class where its points lie best.

    Attributes:
        class_prior: ``[B, C, 4]`` float32, in strides from the object's centre: mean x, mean y,
            deviation x, deviation y. The same for all images.
    """

    class_prior: Tensor


class _ClassPrior(DenseHead):
    """Dense head with four learned numbers a class beside its outputs."""

    class_layers: ClassVar[dict[str, int]] = {**DenseHead.class_layers, "class_prior": 0}

    def __init__(self, in_channels: int, num_classes: int, *args: Any, **options: Any) -> None:
        super().__init__(in_channels, num_classes, *args, **options)
        # Means and logarithms of deviations: a normal distribution of width 1 at the centre. One
        # dimension, so that no weight decay draws it back there.
        self.class_prior = nn.Parameter(torch.zeros(4 * num_classes))

    def forward(self, features: Sequence[Tensor]) -> PriorPredictions:
        """Turn pyramid features, finest first, into predictions in the input frame."""
        preds = super().forward(features)
        table = self.class_prior.float().view(-1, 4)
        table = torch.cat([table[:, :2], table[:, 2:].exp()], dim=1)
        plain = {f.name: getattr(preds, f.name) for f in fields(preds)}
        return PriorPredictions(**plain, class_prior=table.expand(preds.batch_size, -1, -1))


class FCOSPriorHead(_ClassPrior, FCOSHead):
    """FCOS's head with a class prior."""


class RetinaPriorHead(_ClassPrior, RetinaHead):
    """RetinaNet's head with a class prior."""


@dataclass(frozen=True, eq=False)
class AutoAssignCriterion:
    """Loss of AutoAssign (Zhu et al. 2020): each point of an object is positive to a degree.

    ``P = P_cls P_obj P_loc`` with the implicit objectness ``P_obj`` (the quality branch, which has
    no goal of its own) and ``P_loc = exp(-box_weight * GIoU loss)``.

    - positive: ``-log sum_j w_j P_j`` of each object, where ``w`` is
      ``exp(P / temperature)`` times the class's learned normal distribution over the distance
      from the centre in strides, made to sum to 1 over the object's points;
    - negative: focal loss towards 0 of ``P_cls P_obj (1 - f(1 / (1 - IoU)))`` for the
      object's class, with ``f`` from 0 at its worst point to 1 at its best; elsewhere of
      ``P_cls P_obj``.

    Both are divided by the number of objects, averaged over processes and at least 1, the second
    also by ``spread``, a constant in place of the sum of centre weights of the official code,
    so that one divisor serves all. Its additional penalty on narrow centre weights, which the
    paper does not name, is left out.

    Attributes:
        assigner: whose candidates are an object's points.
        box_weight: lambda of ``P_loc``.
        temperature: tau of the confidence.
        spread: points an object, about the sum of centre weights of width 1 on all levels.
        weights: factors of the positive and the negative term.
    """

    assigner: Assigner
    box_weight: float = 5.0
    temperature: float = 1 / 3
    spread: float = 12.0
    weights: tuple[float, float] = (0.25, 0.75)

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch.

        Args:
            preds: of a head with a quality branch and a class prior, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``bag`` and ``background``, and the assigner's statistics. A
            batch without any object gives a finite loss.

        Raises:
            ValueError: for a head without quality branch or class prior.
        """
        if preds.quality_logits is None or not isinstance(preds, PriorPredictions):
            raise ValueError(
                "AutoAssignCriterion: expected PriorPredictions with quality_logits, got "
                f"{type(preds).__name__}, quality_logits="
                f"{'none' if preds.quality_logits is None else 'given'}"
            )
        bags = bags_of(self.assigner, preds, targets)
        quality = preds.quality_logits.flatten()
        own, _ = log_sigmoids(bags.own_logits())
        objectness, _ = log_sigmoids(quality[bags.point])
        likelihood = own + objectness - self.box_weight * bags.box_loss()
        weight = likelihood.exp() / self.temperature + center_weight(bags, preds.class_prior)
        weight = masked(weight, bags.valid).log_softmax(dim=1)
        positive = -masked(weight + likelihood, bags.valid).logsumexp(dim=1)

        log_p, log_not_p = joint(preds.cls_logits.flatten(0, 1), quality[:, None])
        background = bags.background(log_p, log_not_p, bags.spread(fitness(bags), bags.point))
        factors = self.weights[0], self.weights[1] / self.spread
        return bag_report(bags, positive, background, factors)


def center_weight(bags: Bags, class_prior: Tensor) -> Tensor:
    """Return the ``[G, K]`` logarithm of the centre weight of each point for its object."""
    points = bags.preds.points
    place = bags.point % len(points)
    center = (bags.boxes[:, :2] + bags.boxes[:, 2:]) / 2
    offset = (points.xy[place] - center[:, None]) / points.stride[place][..., None]
    prior = class_prior[0, bags.labels][:, None]
    return -0.5 * ((offset - prior[..., :2]) / prior[..., 2:]).square().sum(dim=-1)


@torch.no_grad()
def fitness(bags: Bags) -> Tensor:
    """Return ``[G, K]`` in [0, 1]: ``f(1 / (1 - IoU))`` of each point, 0 in unused slots.

    An object whose points all fit alike, as where there is only one, has 1 everywhere.
    """
    iou = aligned_iou(bags.preds.boxes.flatten(0, 1)[bags.point], bags.boxes[:, None])
    value = 1 / (1 - iou).clamp(min=ALMOST_ZERO)
    low = torch.where(bags.valid, value, torch.inf).amin(dim=1, keepdim=True)
    high = torch.where(bags.valid, value, -torch.inf).amax(dim=1, keepdim=True)
    share = (value - low + ALMOST_ZERO) / (high - low + ALMOST_ZERO)
    return torch.where(bags.valid, share.clamp(0, 1), 0.0)


def joint(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logarithms of ``p q`` and ``1 - p q`` for logits of p and q; exact at the ends."""
    p, not_p = log_sigmoids(first)
    q, not_q = log_sigmoids(second)
    return p + q, torch.logaddexp(not_p, p + not_q)


class AutoAssign(Method):
    """Method whose head learns a class prior."""

    changes_network: ClassVar[bool] = True

    def head_class(self, head: type[DenseHead]) -> type[DenseHead]:
        """Return the head of the same coding with a class prior."""
        return RetinaPriorHead if issubclass(head, RetinaHead) else FCOSPriorHead


METHOD = AutoAssign(
    AnchorBag(None, InsideBox()), lambda bag, _: AutoAssignCriterion(bag), quality="iou"
)
"""``method=autoassign``."""
