"""Which point may serve which object: a table with one row an object, and what is read off it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import otadet.assign.scene as scene_module
from otadet.assign.scene import Scene


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate points of each object; ``K`` slots an object, unused ones marked invalid.

    Attributes:
        point: ``[G, K]`` int64 row of :class:`Scene` (image offset included); 0 in unused slots.
        valid: ``[G, K]`` bool, slots in use. No point appears twice in a row.
        uncovered: ``[G]`` bool, objects for which the prior found no point.
        rows: ``[U]`` int64, the points that are anybody's candidate, or ``None`` where finding
            them would mean waiting for the device: then every point counts, ``U = N``.
        local: ``[G, K]`` int64, index into ``rows``; ``point`` itself without them.
        size: ``U``.
        penalty: ``[G, K]`` added to the cost of pairs that a prior admits against its will, or
            ``None``.
    """

    point: Tensor
    valid: Tensor
    uncovered: Tensor
    rows: Tensor | None
    local: Tensor
    size: int
    penalty: Tensor | None = None

    @property
    def slots(self) -> int:
        """Slots an object, ``K``."""
        return self.point.shape[1]

    def point_image(self, scene: Scene) -> Tensor:
        """``[U]`` int64: image of each point."""
        rows = torch.arange(self.size, device=scene.device) if self.rows is None else self.rows
        return torch.div(rows, scene.num_points, rounding_mode="floor")

    def used(self) -> Tensor:
        """``[U]`` bool: the point is anybody's candidate."""
        count = torch.zeros(self.size, dtype=torch.int32, device=self.point.device)
        count.index_add_(0, self.local.flatten(), self.valid.flatten().int())
        return count > 0


def settle(scene: Scene, point: Tensor, valid: Tensor, closest: Tensor | None) -> Candidates:
    """Candidates of a prior, without ignored points and with a way out for bare objects.

    Args:
        scene: the batch.
        point: ``[G, K]`` int64 point of the image (no image offset), anything where invalid.
        valid: ``[G, K]`` bool.
        closest: ``[G]`` int64 point that an object without any candidate takes instead, or
            ``None`` to leave it bare.
    """
    offset = scene.gt_image[:, None] * scene.num_points
    flat = torch.where(valid, point + offset, 0)
    if scene.ignored is not None:
        valid = valid & ~scene.ignored[flat]
    bare = ~valid.any(dim=1)
    if closest is not None:
        instead = closest + offset[:, 0]
        usable = bare if scene.ignored is None else bare & ~scene.ignored[instead]
        flat = torch.cat([torch.where(bare, instead, flat[:, 0])[:, None], flat[:, 1:]], dim=1)
        valid = torch.cat([(valid[:, 0] | usable)[:, None], valid[:, 1:]], dim=1)
    flat = torch.where(valid, flat, 0)
    size = scene.boxes.shape[0]
    if not scene_module.waiting_is_free(scene.device):
        return Candidates(flat, valid, bare, None, flat, size)
    flat, valid = _narrow(flat, valid)
    used = torch.zeros(size, dtype=torch.bool)
    used[flat[valid]] = True
    if not bool(used.any()):
        used[0] = True  # a table of no points could not be indexed; nobody's row 0 is harmless
    rows = used.nonzero()[:, 0]
    rank = torch.zeros(size, dtype=torch.int64)
    rank[rows] = torch.arange(rows.shape[0])
    return Candidates(flat, valid, bare, rows, rank[flat], rows.shape[0])


def _narrow(point: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """The same table without the slots that no object needs.

    Asks for a count, which is free on a CPU; elsewhere the unused slots cost less than waiting.
    """
    position = valid.cumsum(dim=1)
    slots = max(1, int(position[:, -1].max()))
    row, column = valid.nonzero(as_tuple=True)
    narrow = point.new_zeros((point.shape[0], slots))
    slot = position[row, column] - 1
    narrow[row, slot] = point[row, column]
    filled = torch.arange(slots, device=point.device) < position[:, -1:]
    return narrow, filled


def table_of(mask: Tensor, most: int | None = None) -> tuple[Tensor, Tensor]:
    """``(point, valid)`` tables of a dense mask ``[G, A]``, rows filled from the left.

    The width is the largest count of a row, so this waits for the device once; given ``most``, a
    number that no count exceeds, it is that and nothing waits, unless waiting is free.
    """
    position = mask.cumsum(dim=1)
    free = scene_module.waiting_is_free(mask.device)
    slots = most if most is not None and not free else None
    if slots is None:
        slots = max(1, int(position[:, -1].max())) if mask.numel() else 1
    if free:
        row, column = mask.nonzero(as_tuple=True)
        point = torch.zeros((mask.shape[0], slots), dtype=torch.int64, device=mask.device)
        point[row, position[row, column] - 1] = column
    else:  # nonzero() would wait to learn its length; what is not wanted goes to a column too many
        place = torch.where(mask, position - 1, slots)
        column = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
        point = column.new_zeros((mask.shape[0], slots + 1)).scatter_(1, place, column)[:, :slots]
    valid = torch.arange(slots, device=mask.device) < mask.sum(dim=1, keepdim=True)
    return point, valid


def gather(value: Tensor, index: Tensor) -> Tensor:
    """``value[index]`` along the first axis; on a CPU several times faster than writing that."""
    return value.index_select(0, index.flatten()).view(*index.shape, *value.shape[1:])


def best_pair(score: Tensor, take: Tensor, point: Tensor, size: int) -> Tensor:
    """The pair with the largest score at every point.

    Args:
        score: ``[G, K]`` or ``[J, G, K]`` for several scores, an earlier one before a later one;
            the lowest row wins a tie in all of them.
        take: ``[G, K]`` bool, pairs that compete.
        point: ``[G, K]`` int64.
        size: number of points ``N``.

    Returns:
        ``[N]`` int64 index into the flattened table, -1 where no pair competes.
    """
    where = point.flatten()
    take = take.flatten()
    for value in score.reshape(-1, *point.shape):
        value = torch.where(take, value.flatten(), -torch.inf)
        best = value.new_full((size,), -torch.inf).scatter_reduce_(0, where, value, "amax")
        take = take & (value == best.index_select(0, where))
    pair = torch.arange(where.numel(), device=where.device)
    none = where.numel()
    owner = where.new_full((size,), none)
    owner = owner.scatter_reduce_(0, where, torch.where(take, pair, none), "amin")
    return torch.where(owner == none, -1, owner)
