"""DETR's loss on one point an object: focal, L1 and GIoU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otadet.assign import Assigner
from otadet.criteria.base import masked_sum, match, mean_positives
from otadet.losses import box_l1_loss, focal_loss_sum, giou_loss
from otadet.points import input_size
from otadet.types import LossReport, Predictions, Target


@dataclass(frozen=True, eq=False)
class DETRCriterion:
    """Focal loss over all points, ``5 * L1`` and ``2 * GIoU`` on the matched ones.

    Each term is a sum divided by the number of matched objects, averaged over processes and at
    least 1 (Carion et al. 2020, section 3.1; focal loss for the class as Zhu et al. 2021). The L1
    distance is of centre, width and height in units of the input's sides.

    Attributes:
        assigner: decides which point serves which object, one each.
        l1_weight: factor of the L1 term.
        giou_weight: factor of the GIoU term.
        cls_weight: factor of the focal term.
    """

    assigner: Assigner
    l1_weight: float = 5.0
    giou_weight: float = 2.0
    cls_weight: float = 2.0

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch.

        Args:
            preds: of the network, with gradient; a quality branch is not looked at.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``cls``, ``l1`` and ``giou``, and the assigner's statistics. A
            batch without any object gives a finite loss.
        """
        matched = match(self.assigner, preds, targets)
        positive, boxes = matched.positive, matched.boxes
        positives = mean_positives(positive)
        norm = positives.clamp(min=1.0)
        giou = giou_loss(preds.boxes.flatten(0, 1), boxes.flatten(0, 1)).view_as(positive)
        l1 = box_l1_loss(preds.boxes, boxes, input_size(preds.points))
        terms = {
            "cls": self.cls_weight * focal_loss_sum(preds.cls_logits, matched.labels) / norm,
            "l1": self.l1_weight * masked_sum(l1, positive) / norm,
            "giou": self.giou_weight * masked_sum(giou, positive) / norm,
        }
        return matched.report(terms, positives)
