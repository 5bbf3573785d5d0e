"""FCOS's loss under the OTA paper's weights: focal, GIoU and the quality branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from otadet.assign import Assigner
from otadet.boxes import ltrb_from_points
from otadet.criteria.base import Matched, masked_sum, match, mean_positives
from otadet.losses import bce_loss, focal_loss_rows, giou_loss
from otadet.types import LossReport, Predictions, Target


@dataclass(frozen=True, eq=False)
class Weights:
    """Loss weights and soft labels of points, without gradient; ignored at negatives.

    Attributes:
        point: ``[B, A]`` float32, at least 0: factor on all of a positive's losses.
        goal: ``[B, A]`` in [0, 1]: what a positive's own class learns instead of 1, or ``None``.
    """

    point: Tensor
    goal: Tensor | None = None


class Weighing(Protocol):
    """Rule of per-point loss weights."""

    def __call__(self, matched: Matched) -> Weights:
        """Return the weights of a batch."""


@dataclass(frozen=True, eq=False)
class FCOSCriterion:
    """Focal loss over all points, ``2 * GIoU`` and ``0.5 * BCE`` of the quality on positives.

    Each term is a sum over points divided by the number of positives, averaged over processes
    and at least 1 (paper section 4.1; weights of the official code). Where positives have weights,
    it is divided by the sum of their weights instead. Nothing but the assigner may synchronise
    with the device: every step has a shape that is known beforehand.

    Attributes:
        assigner: decides which point serves which object.
        quality: what the quality branch learns: ``iou`` of the predicted box with its object's,
            ``centerness`` (Tian et al. 2019, eq. 3), or ``none``.
        box_weight: factor of the GIoU term.
        quality_weight: factor of the quality term.
        weigh: how much each positive counts and what its class learns; all the same without it.
    """

    assigner: Assigner
    quality: Literal["iou", "centerness", "none"] = "iou"
    box_weight: float = 2.0
    quality_weight: float = 0.5
    weigh: Weighing | None = None

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch.

        Args:
            preds: of the network, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``cls``, ``box`` and ``quality``, and the assigner's statistics.
            A batch without any object gives a finite loss.
        """
        matched = match(self.assigner, preds, targets)
        positive = matched.positive
        weights = self._weights(matched)
        positives = mean_positives(weights.point)
        norm = positives.clamp(min=1.0)

        cls = focal_loss_rows(preds.cls_logits, matched.labels, weights.goal)
        cls = torch.where(positive, weights.point, 1.0) * cls
        giou = giou_loss(preds.boxes.flatten(0, 1), matched.boxes.flatten(0, 1)).view_as(positive)
        box = self.box_weight * masked_sum(weights.point * giou, positive) / norm
        terms = {"cls": cls.sum() / norm, "box": box}
        if preds.quality_logits is not None and self.quality != "none":
            bce = bce_loss(preds.quality_logits, self._quality_goal(matched))
            terms["quality"] = (
                self.quality_weight * masked_sum(weights.point * bce, positive) / norm
            )
        return matched.report(terms, positives)

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


def centerness(ltrb: Tensor) -> Tensor:
    """Return the centre-ness ``[...]`` of distances ``[..., 4]`` to the sides of a box.

    Tian et al. 2019, eq. 3; 0 outside the box.
    """
    left_right, top_bottom = ltrb[..., 0::2].clamp(min=0), ltrb[..., 1::2].clamp(min=0)
    tiny = torch.finfo(torch.float32).tiny
    ratio = (left_right.amin(-1) * top_bottom.amin(-1)) / (
        left_right.amax(-1) * top_bottom.amax(-1)
    ).clamp(min=tiny)
    return ratio.sqrt()
