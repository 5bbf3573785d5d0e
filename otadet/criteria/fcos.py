"""The paper's loss for FCOS: focal, GIoU and the quality branch, on what the assigner decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import ltrb_from_points
from otadet.criteria.centerness import centerness
from otadet.criteria.matched import masked_sum, matched_targets, mean_positives
from otadet.criteria.weights import Matched, Weighing, Weights
from otadet.losses import bce_loss, focal_loss_rows, giou_loss
from otadet.types import LossReport, Predictions, Target


class FCOSCriterion:
    """Focal loss over all points, ``2 * GIoU`` and ``0.5 * BCE`` of the quality on positives.

    Each term is a sum over points divided by the number of positives, averaged over processes
    and at least 1 (paper section 4.1; weights of the official code). Where positives have weights,
    it is divided by the sum of their weights instead. Nothing but the assigner may wait for the
    device: every step has a shape that is known beforehand.

    Args:
        assigner: decides which point serves which object.
        quality: what the quality branch learns: ``iou`` of the predicted box with its object's,
            ``centerness`` (Tian et al. 2019, eq. 3), or ``none``.
        box_weight: factor of the GIoU term.
        quality_weight: factor of the quality term.
        weigh: how much each positive counts and what its class learns; all the same without it.
    """

    def __init__(
        self,
        assigner: Assigner,
        quality: Literal["iou", "centerness", "none"] = "iou",
        box_weight: float = 2.0,
        quality_weight: float = 0.5,
        weigh: Weighing | None = None,
    ) -> None:
        self.assigner = assigner
        self.quality = quality
        self.box_weight = box_weight
        self.quality_weight = quality_weight
        self.weigh = weigh

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """The loss of a batch.

        Args:
            preds: of the network, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``cls``, ``box`` and ``quality``, and the assigner's statistics.
            A batch without any object gives a finite loss.
        """
        assignment = self.assigner(preds, targets)
        boxes, labels = matched_targets(assignment, targets)
        matched = Matched(preds, assignment, boxes, labels)
        positive = matched.positive
        weights = self._weights(matched)
        positives = mean_positives(weights.point)
        norm = positives.clamp(min=1.0)

        cls = focal_loss_rows(preds.cls_logits, labels, weights.goal)
        cls = torch.where(positive, weights.point, 1.0) * cls
        giou = giou_loss(preds.boxes.flatten(0, 1), boxes.flatten(0, 1)).view_as(positive)
        box = self.box_weight * masked_sum(weights.point * giou, positive) / norm
        terms = {"cls": cls.sum() / norm, "box": box}
        if preds.quality_logits is not None and self.quality != "none":
            bce = bce_loss(preds.quality_logits, self._quality_goal(matched))
            terms["quality"] = (
                self.quality_weight * masked_sum(weights.point * bce, positive) / norm
            )
        return LossReport(
            total=torch.stack(list(terms.values())).sum(),
            terms={k: v.detach() for k, v in terms.items()},
            positives=positives,
            stats={"positives": positive.sum(), **assignment.stats},
        )

    @torch.no_grad()
    def _weights(self, matched: Matched) -> Weights:
        """Weights that are 0 where there is no object."""
        positive = matched.positive
        if self.weigh is None:
            return Weights(positive.float())
        found = self.weigh(matched)
        return Weights(torch.where(positive, found.point, 0.0), found.goal)

    def _quality_goal(self, matched: Matched) -> Tensor:
        if self.quality == "iou":
            return matched.assignment.iou
        return centerness(ltrb_from_points(matched.preds.points.xy, matched.boxes))
