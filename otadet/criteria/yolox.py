"""YOLOX's loss: IoU, objectness and classes, on what the assigner decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import aligned_iou, cells_from_boxes
from otadet.criteria.base import Matched, masked_sum, match, mean_positives
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
        objectness: what a positive's objectness learns: ``one`` as published, or the ``iou`` of
            its box, so that objectness ranks boxes as well (docs/results.md: ahead in short runs).
    """

    assigner: Assigner
    box_weight: float = 5.0
    l1: bool = False
    objectness: Literal["one", "iou"] = "one"

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
        obj = bce_loss(preds.quality_logits, self.objectness_goal(matched))
        cls = _class_loss(preds.cls_logits, matched.labels, self.class_goal(matched))
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

    def objectness_goal(self, matched: Matched) -> Tensor:
        """Return ``[B, A]`` in [0, 1]: what a point's objectness learns."""
        return matched.positive if self.objectness == "one" else matched.assignment.iou

    def class_goal(self, matched: Matched) -> Tensor:
        """Return ``[B, A]`` in [0, 1]: what a positive learns for its own class."""
        return matched.assignment.iou


def _class_loss(logits: Tensor, labels: Tensor, goal: Tensor) -> Tensor:
    """Return ``[B, A]``: BCE of ``logits [B, A, C]`` with ``goal [B, A]`` at the label, else 0.

    Summed over classes without a tensor of targets; of no meaning where the label is negative.
    """
    logits = logits.float()
    own = logits.gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
    return F.softplus(logits).sum(dim=-1) - goal * own
