"""The paper's loss for FCOS: focal, GIoU and the quality branch, on what the assigner decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import ltrb_from_points
from otadet.criteria.matched import masked_sum, matched_targets, mean_positives
from otadet.losses import bce_loss, focal_loss_sum, giou_loss
from otadet.types import LossReport, Predictions, Target


class FCOSCriterion:
    """Focal loss over all points, ``2 * GIoU`` and ``0.5 * BCE`` of the quality on positives.

    Each term is a sum over points divided by the number of positives, averaged over processes
    and at least 1 (paper section 4.1; weights of the official code). Nothing but the
    assigner may wait for the device: every step has a shape that is known beforehand.

    Args:
        assigner: decides which point serves which object.
        quality: what the quality branch learns: ``iou`` of the predicted box with its object's,
            ``centerness`` (Tian et al. 2019, eq. 3), or ``none``.
        box_weight: factor of the GIoU term.
        quality_weight: factor of the quality term.
    """

    def __init__(
        self,
        assigner: Assigner,
        quality: Literal["iou", "centerness", "none"] = "iou",
        box_weight: float = 2.0,
        quality_weight: float = 0.5,
    ) -> None:
        self.assigner = assigner
        self.quality = quality
        self.box_weight = box_weight
        self.quality_weight = quality_weight

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """The loss of a batch.

        Args:
            preds: of the network, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``cls``, ``box`` and ``quality``, and the assigner's statistics.
            A batch without any object gives a finite loss that touches every parameter.
        """
        assignment = self.assigner(preds, targets)
        positive = assignment.gt_index >= 0
        boxes, labels = matched_targets(assignment, targets)
        positives = mean_positives(positive)
        norm = positives.clamp(min=1.0)

        cls = focal_loss_sum(preds.cls_logits, labels) / norm
        giou = giou_loss(preds.boxes.flatten(0, 1), boxes.flatten(0, 1)).view_as(positive)
        box = self.box_weight * masked_sum(giou, positive) / norm
        terms = {"cls": cls, "box": box}
        if preds.quality_logits is not None and self.quality != "none":
            goal = (
                assignment.iou
                if self.quality == "iou"
                else centerness(ltrb_from_points(preds.points.xy, boxes))
            )
            bce = bce_loss(preds.quality_logits, goal)
            terms["quality"] = self.quality_weight * masked_sum(bce, positive) / norm
        total = torch.stack(list(terms.values())).sum()
        # Sides whose ReLU is closed and points without an object must still reach every
        # parameter, or processes that saw no object would wait for gradients forever.
        total = total + 0.0 * preds.deltas.sum()
        return LossReport(
            total=total,
            terms={k: v.detach() for k, v in terms.items()},
            positives=positives,
            stats={"positives": positive.sum(), **assignment.stats},
        )


def centerness(ltrb: Tensor) -> Tensor:
    """Centre-ness ``[...]`` of distances ``[..., 4]`` (Tian et al. 2019, eq. 3); 0 outside."""
    left_right, top_bottom = ltrb[..., 0::2].clamp(min=0), ltrb[..., 1::2].clamp(min=0)
    tiny = torch.finfo(torch.float32).tiny
    ratio = (left_right.amin(-1) * top_bottom.amin(-1)) / (
        left_right.amax(-1) * top_bottom.amax(-1)
    ).clamp(min=tiny)
    return ratio.sqrt()
