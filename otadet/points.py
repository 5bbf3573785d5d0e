"""Anchor points: the centres of the cells of each pyramid level, or torchvision's corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from otadet.to_device import to_device
from otadet.types import GridLevel, Points


def grid_points(grid: Sequence[GridLevel], device: torch.device | str = "cpu") -> Points:
    """Build the points ``((column + 0.5) * stride, (row + 0.5) * stride)`` of all levels.

    Args:
        grid: the levels, finest first.
        device: where the tensors are made.

    Returns:
        ``A = sum(height * width)`` points, level by level, row-major, input frame.
    """
    xy: list[Tensor] = []
    for height, width, stride in grid:
        y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * stride
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        xy.append(torch.stack([columns, rows], dim=-1).flatten(0, 1))
    counts = [level.num_points for level in grid]
    return Points(
        xy=torch.cat(xy),
        stride=torch.cat(
            [torch.full((n,), float(g.stride), device=device) for n, g in zip(counts, grid)]
        ),
        level=torch.cat(
            [torch.full((n,), i, dtype=torch.int64, device=device) for i, n in enumerate(counts)]
        ),
        grid=tuple(grid),
    )


def corner_points(grid: Sequence[GridLevel], device: torch.device | str = "cpu") -> Points:
    """Build torchvision's points (``AnchorGenerator``): the upper left corner of each cell.

    The cells of a level share the input's size as whole pixels, so that at P6 and P7 they are
    narrower than the stride wherever the input is no multiple of it; weights trained with
    torchvision expect just this.

    Args:
        grid: the levels, finest first; the first one fills the input exactly.
        device: where the tensors are made.

    Returns:
        As :func:`grid_points`; ``stride`` stays the unit of the box coding.
    """
    height, width = grid[0].height * grid[0].stride, grid[0].width * grid[0].stride
    xy: list[Tensor] = []
    for level in grid:
        y = torch.arange(level.height, device=device) * (height // level.height)
        x = torch.arange(level.width, device=device) * (width // level.width)
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        xy.append(torch.stack([columns, rows], dim=-1).flatten(0, 1).float())
    return replace(grid_points(grid, device), xy=torch.cat(xy), centered=False)


def grid_of(points: Points) -> tuple[GridLevel, ...] | None:
    """Return the levels' shapes, recovered from the coordinates where points do not carry them.

    Returns ``None`` when the points are not full grids of cell centres in the order of
    :func:`grid_points`. Reading the coordinates synchronises, so code on a hot path passes points
    that carry their grid.
    """
    if points.grid is not None:
        return points.grid if points.centered else None
    xy, stride, level = points.xy.cpu(), points.stride.cpu(), points.level.cpu()
    levels: list[GridLevel] = []
    for index in range(int(level.max()) + 1 if len(level) else 0):
        mine = level == index
        if not bool(mine.any()):
            return None
        step = float(stride[mine][0])
        cells = xy[mine] / step - 0.5
        width, height = (int(v) + 1 for v in cells.max(dim=0).values.round())
        if step != int(step):
            return None
        levels.append(GridLevel(height, width, int(step)))
    found = grid_points(levels) if levels else None
    if found is None or len(found) != len(points):
        return None
    same = torch.allclose(found.xy, xy, atol=1e-3) and torch.equal(found.level, level)
    return tuple(levels) if same and torch.equal(found.stride, stride.float()) else None


def input_size(points: Points) -> Tensor:
    """Return width and height ``[2]`` float32, in pixels, of the input that the points cover."""
    if points.grid is not None:
        level = points.grid[0]
        size = [level.width * level.stride, level.height * level.stride]
        return to_device(size, points.xy.device, torch.float32)
    return (points.xy + points.stride[:, None] / 2).amax(dim=0)
