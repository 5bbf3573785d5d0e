"""Box arithmetic. One format inside: ``xyxy``, float32, pixels, ``x2 >= x1`` and ``y2 >= y1``.

Other formats exist only in the readers and writers of files.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IOU_EPS = torch.finfo(torch.float32).eps
"""Smallest IoU whose logarithm is taken (the official OTA code's clamp)."""

LOG_SIDE_LIMIT = math.log(1000 / 16)
"""Largest logarithm of a side over its anchor's (Fast R-CNN's code): ``exp`` would overflow."""


def area(boxes: Tensor) -> Tensor:
    """Compute the areas ``[...]`` of boxes ``[..., 4]``; 0 where a side is negative."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).unbind(dim=-1)
    return width * height  # the derivative of prod() synchronises to test for a side of 0


def intersection(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the intersection areas ``[...]`` of numpy boxes ``[..., 4]``, broadcast.

    The intersection of a box with itself is its area.
    """
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    product: npt.NDArray[np.float64] = np.maximum(width, 0) * np.maximum(height, 0)
    return product


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Compute the IoU ``[N, M]`` of boxes ``a [N, 4]`` and ``b [M, 4]``, float32.

    Two boxes without area have IoU 0, not NaN. Coordinate by coordinate, which is
    faster on a CPU than :func:`aligned_iou` of all pairs and gives the same numbers.
    """
    left, top, right, bottom = a.float()[:, :, None].unbind(dim=1)
    others = b.float().t().contiguous()[:, None].unbind(dim=0)
    width = (torch.minimum(right, others[2]) - torch.maximum(left, others[0])).clamp(min=0)
    height = (torch.minimum(bottom, others[3]) - torch.maximum(top, others[1])).clamp(min=0)
    overlap = width * height
    union = area(a.float())[:, None] + area(b.float()) - overlap
    return overlap / union.clamp(min=torch.finfo(torch.float32).tiny)


def aligned_iou(a: Tensor, b: Tensor) -> Tensor:
    """Compute the elementwise IoU ``[...]`` of boxes ``a [..., 4]`` and ``b [..., 4]``.

    In float32 for any input dtype; 0 where the union is empty.
    """
    a, b = a.float(), b.float()
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    width, height = sides.clamp(min=0).unbind(dim=-1)
    overlap = width * height
    union = area(a) + area(b) - overlap
    return overlap / union.clamp(min=torch.finfo(torch.float32).tiny)


def ltrb_from_points(xy: Tensor, boxes: Tensor) -> Tensor:
    """Compute distances left, top, right, bottom ``[..., 4]`` to the sides of boxes.

    Points are ``[..., 2]``, boxes ``[..., 4]``; all four are positive strictly inside a box.
    """
    return torch.cat([xy - boxes[..., :2], boxes[..., 2:] - xy], dim=-1)


def boxes_from_ltrb(xy: Tensor, ltrb: Tensor) -> Tensor:
    """Invert :func:`ltrb_from_points`."""
    return torch.cat([xy - ltrb[..., :2], xy + ltrb[..., 2:]], dim=-1)


def boxes_from_cells(xy: Tensor, stride: Tensor, deltas: Tensor) -> Tensor:
    """Decode YOLO's coding (Ge et al. 2021, section 2.1) as xyxy.

    Args:
        xy: ``[A, 2]`` centres of the cells, pixels. YOLOX counts from a cell's upper left corner,
            half a stride before.
        stride: ``[A]`` width of the cells, pixels.
        deltas: ``[..., A, 4]``: centre from the corner in strides, logarithms of width and height
            in strides. Beyond 10 the logarithms are cut off, since ``exp`` would overflow.
    """
    step = stride[:, None]
    center = xy + (deltas[..., :2] - 0.5) * step
    half = deltas[..., 2:].clamp(max=10.0).exp() * (step / 2)
    return torch.cat([center - half, center + half], dim=-1)


def cells_from_boxes(xy: Tensor, stride: Tensor, boxes: Tensor) -> Tensor:
    """Invert :func:`boxes_from_cells` for boxes ``[..., A, 4]``; sides at least 1e-8 strides."""
    step = stride[:, None]
    corner = (boxes[..., :2] + boxes[..., 2:]) / (2 * step) - (xy / step - 0.5)
    sides = ((boxes[..., 2:] - boxes[..., :2]) / step).clamp(min=1e-8)
    return torch.cat([corner, sides.log()], dim=-1)


def boxes_from_squares(xy: Tensor, side: Tensor, deltas: Tensor) -> Tensor:
    """Decode the coding of R-CNN (Girshick et al. 2014, appendix C) for square anchors as xyxy.

    Args:
        xy: ``[A, 2]`` centres of the anchors, pixels.
        side: ``[A]`` of the anchors, pixels.
        deltas: ``[..., A, 4]``: shift of the centre in sides, logarithms of width and height in
            sides, cut off at :data:`LOG_SIDE_LIMIT`.
    """
    length = side[:, None]
    center = xy + deltas[..., :2] * length
    half = deltas[..., 2:].clamp(max=LOG_SIDE_LIMIT).exp() * (length / 2)
    return torch.cat([center - half, center + half], dim=-1)
