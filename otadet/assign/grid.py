"""Find points near an object from the geometry of the grid, without a scan of all points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.flat_batch import FlatBatch
from otadet.points import grid_of
from otadet.to_device import to_device
from otadet.types import GridLevel, Points


@dataclass(frozen=True, eq=False)
class Levels:
    """The pyramid's levels as tensors on the device.

    Attributes:
        shapes: the levels, for what must be known on the host.
        size: ``[L, 2]`` int64 width and height in cells.
        stride: ``[L]`` float32 pixels.
        start: ``[L]`` int64, index of each level's first point.
    """

    shapes: tuple[GridLevel, ...]
    size: Tensor
    stride: Tensor
    start: Tensor


def levels_of(points: Points) -> Levels | None:
    """Return the levels of points that form full grids, otherwise ``None``."""
    grid = grid_of(points)
    if grid is None:
        return None
    device = points.xy.device
    counts = [g.num_points for g in grid]
    rows = [(g.width, g.height, g.stride, sum(counts[:i])) for i, g in enumerate(grid)]
    table = to_device([v for row in rows for v in row], device).view(-1, 4)
    return Levels(grid, table[:, :2], table[:, 2].float(), table[:, 3])


def num_levels(points: Points) -> int:
    """Return the number of levels; synchronises where the points form no full grids."""
    grid = grid_of(points)
    return int(points.level.max()) + 1 if grid is None else len(grid)


def product(levels: Levels, cell: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the points of all pairs of a column and a row.

    Returns:
        Points ``[G, L * side^2]``, 0 where not valid, and which are valid.
    """
    row = cell[:, :, 1] * levels.size[:, :1] + levels.start[:, None]
    point = row[..., :, None] + cell[:, :, 0, None, :]
    both = valid[:, :, 1, :, None] & valid[:, :, 0, None, :]
    return torch.where(both, point, 0).flatten(1), both.flatten(1)


def closest_point(batch: FlatBatch) -> Tensor:
    """``[G]`` int64: the point closest to each object's centre, the finest level on a tie."""
    levels = levels_of(batch.points)
    center = batch.gt_centers
    if levels is None:
        distance = (batch.points.xy[None] - center[:, None]).square().sum(dim=-1)
        return distance.argmin(dim=1)
    cell = (center[:, None] / levels.stride[:, None]).floor().long()
    cell = torch.minimum(cell.clamp(min=0), levels.size - 1)
    place = (cell + 0.5) * levels.stride[:, None]
    level = (place - center[:, None]).square().sum(dim=-1).argmin(dim=1, keepdim=True)
    point = levels.start + cell[..., 1] * levels.size[:, 0] + cell[..., 0]
    return point.gather(1, level)[:, 0]


def closest_window(batch: FlatBatch, count: int) -> tuple[Tensor, Tensor]:
    """Return the ``count`` points of every level that are closest to each object's centre.

    Centres are first moved into the image. The closest points of a centre lie within
    ``2 sqrt(count / pi) + 1`` cells of it even in a corner, where only a quarter of the disc is
    on the grid, so a window of that reach is searched; narrower levels are searched whole.

    Returns:
        ``point`` and ``valid`` ``[G, sum over levels of min(count, points)]``.
    """
    levels = levels_of(batch.points)
    if levels is None:
        return _closest_by_scan(batch, count)
    tables: list[Tensor] = []
    reach = math.ceil(2 * math.sqrt(count / math.pi)) + 1
    for index, (height, width, stride) in enumerate(levels.shapes):
        whole = min(height, width) <= 2 * reach + 1
        across = width if whole else 2 * reach + 1
        down = height if whole else 2 * reach + 1
        x = (batch.gt_centers[:, :1] / stride).clamp(0, width)
        y = (batch.gt_centers[:, 1:] / stride).clamp(0, height)
        left = (x.floor().long() - reach).clamp(0, width - across)
        top = (y.floor().long() - reach).clamp(0, height - down)
        column = left + torch.arange(across, device=batch.device)
        row = top + torch.arange(down, device=batch.device)
        dx = (column + 0.5 - x).square()
        dy = (row + 0.5 - y).square()
        distance = (dy[:, :, None] + dx[:, None, :]).flatten(1)
        point = (row[:, :, None] * width + column[:, None, :]).flatten(1) + levels.start[index]
        chosen = distance.topk(min(count, distance.shape[1]), dim=1, largest=False).indices
        tables.append(point.gather(1, chosen))
    point = torch.cat(tables, dim=1)
    return point, torch.ones_like(point, dtype=torch.bool)


def _closest_by_scan(batch: FlatBatch, count: int) -> tuple[Tensor, Tensor]:
    """:func:`closest_window` for points that form no grid."""
    level = batch.points.level
    distance = (batch.points.xy[None] - batch.gt_centers[:, None]).square().sum(dim=-1)
    tables: list[Tensor] = []
    valids: list[Tensor] = []
    for index in range(int(level.max()) + 1 if len(level) else 0):
        here = torch.where(level == index, distance, torch.inf)
        nearest = here.topk(min(count, here.shape[1]), dim=1, largest=False)
        tables.append(nearest.indices)
        valids.append(torch.isfinite(nearest.values))
    return torch.cat(tables, dim=1), torch.cat(valids, dim=1)
