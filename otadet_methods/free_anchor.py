"""FreeAnchor: objects and anchors matched by the likelihood of their detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import aligned_iou
from otadet.exp.methods import Method
from otadet.types import LossReport, Predictions, Target
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.bags import Bags, bag_report, bags_of, log_sigmoids, masked

NEARLY_ONE = -1e-6
"""Largest logarithm of a likelihood: beyond it ``1 / (1 - x)`` of the mean-max has no meaning."""


@dataclass(frozen=True, eq=False)
class FreeAnchorCriterion:
    """Loss of FreeAnchor (Zhang et al. 2019): likelihood of one good detection an object.

    ``x_ij = P_cls P_loc``, ``P_loc = exp(-box_weight * GIoU loss)`` of point j for object i.

    - recall: ``-log MeanMax(x_i)`` of each object; ``MeanMax = sum x / (1 - x) / sum 1 / (1 - x)``
      is near the mean of a bag that learned nothing and near its maximum later;
    - precision: focal loss towards 0 of ``P_cls (1 - P{a_j serves i})``, which rises in a line from
      0 at an IoU of ``threshold`` to 1 at the object's best, over all points of the image.

    Both are divided by the number of objects, averaged over processes and at least 1, the second
    also by the size of a bag. The paper's smooth L1 is the head's GIoU here; there is no quality
    branch to learn. Compares every predicted box with every object of its image.

    Attributes:
        assigner: whose candidates are the bags.
        bag_size: n of the paper, what the background term is divided by.
        box_weight: beta of the paper's ``P_loc``.
        threshold: IoU t from which a prediction is less than wholly background.
        alpha: factor of the recall term; ``1 - alpha`` of the other.
    """

    assigner: Assigner
    bag_size: int = 50
    box_weight: float = 2.0
    threshold: float = 0.6
    alpha: float = 0.5

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch.

        Args:
            preds: of the network, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``bag`` and ``background``, and the assigner's statistics. A
            batch without any object gives a finite loss.
        """
        bags = bags_of(self.assigner, preds, targets)
        own, _ = log_sigmoids(bags.own_logits())
        likelihood = own - self.box_weight * bags.box_loss()
        log_p, log_not_p = log_sigmoids(preds.cls_logits.flatten(0, 1))
        background = bags.background(log_p, log_not_p, self._localised(bags))
        return bag_report(
            bags,
            -log_mean_max(likelihood, bags.valid),
            background,
            (self.alpha, (1 - self.alpha) / self.bag_size),
        )

    @torch.no_grad()
    def _localised(self, bags: Bags) -> Tensor:
        """Return ``[N, C]``: P{a_j serves an object of the class}."""
        count = len(bags.preds.points)
        iou = aligned_iou(bags.preds.boxes[bags.image], bags.boxes[:, None])
        best = iou.amax(dim=1, keepdim=True).clamp(min=self.threshold + 1e-6)
        degree = ((iou - self.threshold) / (best - self.threshold)).clamp(0, 1)
        point = torch.arange(count, device=iou.device) + count * bags.image[:, None]
        return bags.spread(degree, point)


def log_mean_max(log_x: Tensor, valid: Tensor) -> Tensor:
    """Return the ``[G]`` logarithm of the mean-max of each row (Zhang et al. 2019).

    Args:
        log_x: ``[G, K]`` logarithms of values in (0, 1).
        valid: ``[G, K]`` bool; rows without any have no meaning, and a gradient of 0.
    """
    log_x = log_x.clamp(max=NEARLY_ONE)
    log_weight = -torch.log(-torch.expm1(log_x))
    return masked(log_x + log_weight, valid).logsumexp(1) - masked(log_weight, valid).logsumexp(1)


METHOD = Method(AnchorBag(50), lambda bag, _: FreeAnchorCriterion(bag), quality="none")
"""``method=freeanchor``."""
