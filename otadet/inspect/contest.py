"""How contested an image is, from its boxes alone: which images are worth a look."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from otadet.assign import ClosestPerLevel
from otadet.assign.flat_batch import FlatBatch
from otadet.geometry import Size
from otadet.points import grid_points
from otadet.types import GridLevel

PRIOR = ClosestPerLevel(5)
"""The paper's: a point is contested that is among the 25 closest of two objects on its level."""


def contested_points(boxes: Tensor, size: Size, strides: Sequence[int]) -> int:
    """Count the points that may serve two objects or more.

    Args:
        boxes: ``[G, 4]`` xyxy, input frame.
        size: height and width of the input.
        strides: of the network's levels.
    """
    grid = [GridLevel(-(-size[0] // s), -(-size[1] // s), s) for s in strides]
    points = grid_points(grid)
    objects = torch.zeros(len(boxes), dtype=torch.int64)
    batch = FlatBatch(
        boxes=torch.zeros((0, 4)), logits=torch.zeros((0, 1)), quality=None, points=points,
        num_images=1, gt_boxes=boxes, gt_labels=objects, gt_image=objects, counts=(len(boxes),),
        ignored=None,
    )  # fmt: skip
    point, valid = PRIOR.select(batch)
    return int((torch.bincount(point[valid], minlength=len(points)) > 1).sum())
