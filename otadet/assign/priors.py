"""Priors: which points may serve which object.

A prior is a small frozen value; called with a :class:`~otadet.assign.scene.Scene` it returns
:class:`~otadet.assign.candidates.Candidates`. Local priors compute their few points from the
geometry of the grid; the others scan. An object that finds no point takes its closest one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, settle, table_of
from otadet.assign.grid import closest_point, closest_window, levels_of, window
from otadet.assign.scene import Scene
from otadet.boxes import ltrb_from_points

INSIDE_MARGIN = 0.01
"""Pixels that a point must be away from every side to count as inside (official code)."""


class Prior(ABC):
    """Which points may serve which object."""

    def __call__(self, scene: Scene) -> Candidates:
        """The candidates of every object; bare objects get their closest point."""
        point, valid = self.select(scene)
        return settle(scene, point, valid, closest_point(scene))

    @abstractmethod
    def select(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """Tables ``point [G, K]`` int64 (index within the image) and ``valid [G, K]`` bool."""


def _min_side(scene: Scene, point: Tensor, boxes: Tensor) -> Tensor:
    """Smallest distance ``[G, K]`` of points to the sides of ``boxes [G, K or 1, 4]``."""
    return ltrb_from_points(scene.points.xy[point], boxes).amin(dim=-1)


@dataclass(frozen=True)
class CenterBox(Prior):
    """Points strictly within ``radius`` strides of the object's centre, on every level.

    Attributes:
        radius: half side of the centre box in strides of the level.
        inside_box: the centre box is clipped to the object's box and the point must lie inside
            both (official OTA). Without it the box may reach beyond the object (YOLOX).
    """

    radius: float = 2.5
    inside_box: bool = True

    def _center_box(self, scene: Scene, reach: Tensor) -> Tensor:
        """Centre boxes ``[G, ..., 4]`` that reach ``reach [G or 1, ...]`` pixels."""
        shape = (-1,) + (1,) * (reach.ndim - 1) + (2,)
        center = scene.gt_centers.view(shape)
        low, high = center - reach[..., None], center + reach[..., None]
        if self.inside_box:
            low = torch.maximum(low, scene.gt_boxes[:, :2].view(shape))
            high = torch.minimum(high, scene.gt_boxes[:, 2:].view(shape))
        return torch.cat([low, high], dim=-1)

    def select(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """At most ``ceil(2 radius)^2`` points a level, found from the grid."""
        levels = levels_of(scene.points)
        if levels is None:
            point = torch.arange(scene.num_points, device=scene.device)[None]
            reach = scene.points.stride[None] * self.radius
            inside = _min_side(scene, point, self._center_box(scene, reach)) > 0
            return table_of(inside & self._in_object(scene, point))
        stride = levels.stride[None] * self.radius
        box = self._center_box(scene, stride)
        side = math.ceil(2 * self.radius)
        first = (box[..., :2] / levels.stride[:, None] + 0.5).floor().long()
        point, valid = window(levels, first, side)
        box = box[:, :, None].expand(-1, -1, side * side, -1).flatten(1, 2)
        valid = valid & (_min_side(scene, point, box) > 0)
        return point, valid & self._in_object(scene, point)

    def _in_object(self, scene: Scene, point: Tensor) -> Tensor | bool:
        if not self.inside_box:
            return True
        return _min_side(scene, point, scene.gt_boxes[:, None]) > INSIDE_MARGIN


@dataclass(frozen=True)
class ClosestPerLevel(Prior):
    """The ``r^2`` points of every level whose centres are closest to the object's (paper 3.3).

    A centre outside the image counts as at the nearest place inside.

    Attributes:
        r: the paper's radius; 3, 5 and 7 in its Table 2.
        inside_box: keep only those inside the object's box (ATSS asks for it, OTA's text not).
    """

    r: int = 5
    inside_box: bool = False

    def select(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """``r^2`` slots a level, fewer on levels with fewer points."""
        point, valid = closest_window(scene, self.r * self.r)
        if self.inside_box:
            valid = valid & (_min_side(scene, point, scene.gt_boxes[:, None]) > INSIDE_MARGIN)
        return point, valid


@dataclass(frozen=True)
class InsideBox(Prior):
    """Every point inside the object's box."""

    def select(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """Scans all points; waits for the device once to learn the table's width."""
        point = torch.arange(scene.num_points, device=scene.device)[None]
        return table_of(_min_side(scene, point, scene.gt_boxes[:, None]) > INSIDE_MARGIN)


@dataclass(frozen=True)
class Everywhere(Prior):
    """Every point of the image: no prior at all."""

    def select(self, scene: Scene) -> tuple[Tensor, Tensor]:
        """``A`` slots an object."""
        point = torch.arange(scene.num_points, device=scene.device)
        point = point.expand(scene.num_objects, -1)
        return point, torch.ones_like(point, dtype=torch.bool)
