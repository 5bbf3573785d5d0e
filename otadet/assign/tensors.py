"""Assign with the tensors of any detector, without the types of this package."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from otadet.assign.base import Assigner
from otadet.types import Assignment, Points, Predictions, Target


def assign_tensors(
    assigner: Assigner,
    boxes: Tensor,
    logits: Tensor,
    gts: Sequence[tuple[Tensor, Tensor]],
    *,
    xy: Tensor,
    stride: Tensor,
    quality: Tensor | None = None,
) -> Assignment:
    """Assign every anchor point of a batch of another package's detector.

    Recovers levels and grid from the points, which synchronises with the device.

    Args:
        assigner: such as ``OTA()`` or ``SimOTA()``.
        boxes: ``[B, A, 4]`` predicted boxes, xyxy, pixels of the input.
        logits: ``[B, A, C]`` class logits, before the sigmoid.
        gts: for each image the boxes ``[G, 4]``, xyxy in the same pixels, and the class indices
            ``[G]`` of its objects; none is ``[0, 4]`` and ``[0]``.
        xy: ``[A, 2]`` anchor points, pixels; the centres of the anchors where there are anchors.
        stride: ``[A]`` stride of each point's level, pixels.
        quality: ``[B, A]`` logits of centre-ness, IoU or objectness, where the score has such a
            factor.

    Returns:
        ``gt_index [B, A]``: the object's index in its image, -1 for the background; and
        ``iou [B, A]`` of the predicted box with its object's. Without gradient.

    Raises:
        NonFiniteError: a ValueError; a prediction is NaN or infinite.
    """
    stride = stride.float()
    level = torch.unique(stride, return_inverse=True)[1]
    preds = Predictions(boxes, logits, quality, boxes, Points(xy.float(), stride, level))
    return assigner(preds, [Target(each.float(), labels.long()) for each, labels in gts])
