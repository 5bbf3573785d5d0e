"""Priors: which points may serve which object.

A prior is a small frozen value; called with a
:class:`~otadet.assign.flat_batch.FlatBatch` it returns
:class:`~otadet.assign.candidates.Candidates`. Local priors compute their few points from the
geometry of the grid; the others scan. An object without candidates gets its closest point;
:class:`Pooled` gives it the other objects' points instead.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, build_candidates, table_of
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.grid import closest_point, closest_window, levels_of, product
from otadet.boxes import ltrb_from_points

INSIDE_MARGIN = 0.01
"""Pixels that a point must be away from every side to count as inside (official code)."""


class Prior(ABC):
    """Candidate points of each object."""

    def __call__(self, batch: FlatBatch) -> Candidates:
        """Return the candidates of every object; those without any get their closest point."""
        point, valid = self.select(batch)
        return build_candidates(batch, point, valid, closest_point)

    @abstractmethod
    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Tables ``point [G, K]`` int64 (index within the image) and ``valid [G, K]`` bool."""


def _min_side(batch: FlatBatch, boxes: Tensor) -> Tensor:
    """Return the smallest distance ``[G, A]`` of all points to the sides of ``boxes [G, 4]``."""
    return ltrb_from_points(batch.points.xy, boxes[:, None]).amin(dim=-1)


@dataclass(frozen=True)
class CenterBox(Prior):
    """Points strictly within ``radius`` strides of the object's centre, on every level.

    Attributes:
        radius: half side of the centre box in strides of the level.
        inside_box: the centre box is clipped to the object's box and the point must lie inside
            both (official OTA). Without it the box may reach beyond the object (YOLOX).
        least: sides of an object's box are raised to so many pixels before it is clipped to, so
            that small objects have candidates around them too (as in recent YOLOs).
    """

    radius: float = 2.5
    inside_box: bool = True
    least: float = 0.0

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """At most ``ceil(2 radius)^2`` points a level, found from the grid."""
        levels = levels_of(batch.points)
        if levels is None:
            return table_of(self.scan(batch))
        side = math.ceil(2 * self.radius)
        # [G, L, 2 axes, side]: both axes at once, and their product only at the end.
        stride = levels.stride[:, None]
        low, high = self._limits(batch, stride * self.radius)
        # Bounded by the grid, so that a cell between the limits exists.
        low, high = low.clamp(min=0), torch.minimum(high, levels.size * stride)
        first = (low / stride + 0.5).floor().long()
        cell = first[..., None] + torch.arange(side, device=batch.device)
        place = (cell + 0.5) * stride[..., None]
        inside = (place > low[..., None]) & (place < high[..., None])
        return product(levels, cell, inside)

    def _limits(self, batch: FlatBatch, reach: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corners of the area whose points are candidates.

        Args:
            batch: points and objects.
            reach: ``[M, 1]`` pixels from the centre to every side.

        Returns:
            Upper left and lower right corner, ``[G, M, 2]`` each.
        """
        center = batch.gt_centers[:, None]
        low, high = center - reach, center + reach
        if self.inside_box:
            boxes = batch.gt_boxes if self.least == 0 else self._raised(batch)
            low = torch.maximum(low, boxes[:, None, :2] + INSIDE_MARGIN)
            high = torch.minimum(high, boxes[:, None, 2:] - INSIDE_MARGIN)
        return low, high

    def _raised(self, batch: FlatBatch) -> Tensor:
        half = (batch.gt_boxes[:, 2:] - batch.gt_boxes[:, :2]).clamp(min=self.least) / 2
        return torch.cat([batch.gt_centers - half, batch.gt_centers + half], dim=1)

    def scan(self, batch: FlatBatch) -> Tensor:
        """The same for points that form no grid: a mask ``[G, A]``."""
        low, high = self._limits(batch, batch.points.stride[:, None] * self.radius)
        xy = batch.points.xy
        return ((xy > low) & (xy < high)).all(dim=-1)


@dataclass(frozen=True)
class ClosestPerLevel(Prior):
    """The ``r^2`` points of every level whose centres are closest to the object's (paper 3.3).

    A centre outside the image counts as at the nearest place inside.

    Attributes:
        r: the paper's radius; 3, 5 and 7 in its Table 2.
        inside_box: keep only those inside the object's box (as in ATSS, not in OTA's text).
    """

    r: int = 5
    inside_box: bool = False

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return ``r^2`` candidates a level, fewer on levels with fewer points."""
        point, valid = closest_window(batch, self.r * self.r)
        if self.inside_box:
            sides = ltrb_from_points(batch.points.xy[point], batch.gt_boxes[:, None])
            valid = valid & (sides.amin(dim=-1) > INSIDE_MARGIN)
        return point, valid


@dataclass(frozen=True)
class SoftCenter(Prior):
    """The paper's centre prior as it is written (section 3.3): points beyond it cost more.

    The ``r^2`` closest points of every level are the object's; the next ones, ``reach^2`` in all,
    may serve it too, at a constant additional cost. The paper lets every point do so; those
    farther away than ``reach`` are left out here.

    Attributes:
        r: the paper's radius.
        penalty: additional cost; the paper names no number.
        reach: as ``r``, of the points that may serve the object at all.
    """

    r: int = 5
    penalty: float = 3.0
    reach: int = 9

    def __post_init__(self) -> None:
        if not 1 <= self.r <= self.reach:
            raise ValueError(f"SoftCenter: expected 1 <= r <= reach, got {self.r}, {self.reach}")

    def __call__(self, batch: FlatBatch) -> Candidates:
        """Return the candidates with the penalty of those beyond ``r``."""
        found = super().__call__(batch)
        point, valid = closest_window(batch, self.r**2)
        last = batch.num_points  # a column for the slots that are not in use
        own = torch.zeros((batch.num_objects, last + 1), dtype=torch.bool, device=batch.device)
        own.scatter_(1, torch.where(valid, point, last), True)
        within = _within_image(batch, found)
        return replace(found, penalty=torch.where(own.gather(1, within), 0.0, self.penalty))

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return ``reach^2`` candidates a level, fewer on levels with fewer points."""
        return closest_window(batch, self.reach**2)


@dataclass(frozen=True)
class InsideBox(Prior):
    """Every point inside the object's box."""

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Scans all points; synchronises once to learn the table's width."""
        return table_of(_min_side(batch, batch.gt_boxes) > INSIDE_MARGIN)


@dataclass(frozen=True)
class Everywhere(Prior):
    """Every point of the image: no prior at all."""

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return all points: ``A`` slots an object."""
        point = torch.arange(batch.num_points, device=batch.device)
        point = point.expand(batch.num_objects, -1)
        return point, torch.ones_like(point, dtype=torch.bool)


@dataclass(frozen=True)
class Pooled(Prior):
    """Every object may have all candidates of its image, at a penalty for those not its own.

    An object with fewer points of its own than its supply spills over to other objects' points,
    one without any starts there; where no object of an image has a point, none gets one.

    Attributes:
        prior: what makes a point an object's own.
        penalty: added to the cost of a pair that is not the object's own (YOLOX: 1e6).
    """

    prior: CenterBox
    penalty: float = 1e6

    def __call__(self, batch: FlatBatch) -> Candidates:
        """Scans all points; every object has its image's whole pool as candidates."""
        own = self.prior.scan(batch)
        found = replace(_pool_of(batch, own, None), no_candidates=~own.any(dim=1))
        within = _within_image(batch, found)
        return replace(found, penalty=torch.where(own.gather(1, within), 0.0, self.penalty))

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return the pool of each object's image."""
        found = self(batch)
        return _within_image(batch, found), found.valid


def _pool_of(
    batch: FlatBatch, wanted: Tensor, closest: Callable[[FlatBatch], Tensor] | None
) -> Candidates:
    """Return the candidates of which each object of an image has all that any of them wants.

    ``wanted`` is ``[G, A]`` bool, ``closest`` as in
    :func:`~otadet.assign.candidates.build_candidates`.
    """
    pool = torch.zeros((batch.num_images, batch.num_points), device=batch.device)
    pool.index_add_(0, batch.gt_image, wanted.float())
    point, valid = table_of(pool > 0)
    return build_candidates(batch, point[batch.gt_image], valid[batch.gt_image], closest)


def _within_image(batch: FlatBatch, candidates: Candidates) -> Tensor:
    """Return ``[G, K]`` index within the image of each candidate; 0 in unused slots."""
    return (candidates.point - batch.gt_image[:, None] * batch.num_points).clamp(min=0)


@dataclass(frozen=True)
class UnionBox(Prior):
    """Every point in any object's box or centre box, at a penalty unless in both of its own.

    The prior of YOLOX's first releases. An object with fewer points of its own than its supply
    spills over to other objects' points.

    Attributes:
        radius: half side of the centre boxes in strides; they may reach beyond the box.
        penalty: added to the cost of a pair that is not in both.
    """

    radius: float = 2.5
    penalty: float = 1e5

    def __call__(self, batch: FlatBatch) -> Candidates:
        """Scans all points; every object has its image's whole pool as candidates."""
        own = _min_side(batch, batch.gt_boxes) > 0
        near = CenterBox(self.radius, inside_box=False).scan(batch)
        found = _pool_of(batch, own | near, closest_point)
        both = (own & near).gather(1, _within_image(batch, found))
        return replace(found, penalty=torch.where(both, 0.0, self.penalty))

    def select(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Return the pool of each object's image."""
        found = self(batch)
        return _within_image(batch, found), found.valid
