"""YOLOX's loss: IoU, objectness and classes, on what the assigner decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import aligned_iou, cells_from_boxes
from otadet.criteria.base import masked_sum, match, mean_positives
from otadet.losses import bce_loss
from otadet.types import IGNORED, LossReport, Predictions, Target


@dataclass(frozen=True, eq=False)
class YOLOXCriterion:
    """``5 * (1 - IoU^2)`` and BCE of the classes on positives, BCE of objectness everywhere.

    A positive's class is learned as the IoU that its box has, so that the score ranks boxes by
    how well they fit (Ge et al. 2021, section 2.1; weights of the official code). Each term is a
    sum over points divided by the number of positives, averaged over processes and at least 1.
    Nothing but the assigner may synchronise with the device.

    Attributes:
        assigner: decides which point serves which object.
        box_weight: factor of the IoU term.
        l1: also the L1 distance of the raw regression, for the last epochs without mosaic.
    """

    assigner: Assigner
    box_weight: float = 5.0
    l1: bool = False

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch.

        Args:
            preds: of a head with objectness and YOLO's coding of boxes, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``box``, ``obj``, ``cls`` and perhaps ``l1``, and the assigner's
            statistics. A batch without objects gives a finite loss.

        Raises:
            ValueError: for a head without objectness.
        """
        if preds.quality_logits is None:
            raise ValueError("YOLOXCriterion: expected a head with objectness, got none")
        matched = match(self.assigner, preds, targets)
        positive, boxes = matched.positive, matched.boxes
        positives = mean_positives(positive)
        norm = positives.clamp(min=1.0)

        iou = aligned_iou(preds.boxes, boxes)
        obj = bce_loss(preds.quality_logits, positive)
        cls = _class_loss(preds.cls_logits, matched.labels, matched.assignment.iou)
        terms = {
            "box": self.box_weight * masked_sum(1 - iou.square(), positive) / norm,
            "obj": masked_sum(obj, matched.labels != IGNORED) / norm,
            "cls": masked_sum(cls, positive) / norm,
        }
        if self.l1:
            goal = cells_from_boxes(preds.points.xy, preds.points.stride, boxes)
            distance = (preds.deltas - goal).abs().sum(dim=-1)
            terms["l1"] = masked_sum(distance, positive) / norm
        return matched.report(terms, positives)


def _class_loss(logits: Tensor, labels: Tensor, iou: Tensor) -> Tensor:
    """Return ``[B, A]``: BCE of ``logits [B, A, C]`` with ``iou [B, A]`` at the label, 0 elsewhere.

    Summed over classes without a tensor of targets; of no meaning where the label is negative.
    """
    logits = logits.float()
    own = logits.gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
    return F.softplus(logits).sum(dim=-1) - iou * own
