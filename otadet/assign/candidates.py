"""Candidate table: which points may serve which object, one row an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

import otadet.assign.flat_batch as flat_batch
from otadet.assign.flat_batch import FlatBatch


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate points of each object; ``K`` slots an object, unused ones marked invalid.

    Attributes:
        point: ``[G, K]`` int64 row of :class:`FlatBatch` (with image offset); 0 in unused slots.
        valid: ``[G, K]`` bool, slots in use. No point appears twice in a row.
        no_candidates: ``[G]`` bool, objects for which the prior found no point.
        rows: ``[U]`` int64, the points that are anybody's candidate, or ``None`` where finding
            them would synchronise: then every point counts, ``U = N``.
        local: ``[G, K]`` int64, index into ``rows``; ``point`` itself without them.
        size: ``U``.
        penalty: ``[G, K]`` added to the cost, 0 for an object's own points and large for those
            that the prior admits only as a fallback (``Pooled``, ``UnionBox``), or ``None``.
    """

    point: Tensor
    valid: Tensor
    no_candidates: Tensor
    rows: Tensor | None
    local: Tensor
    size: int
    penalty: Tensor | None = None

    @property
    def slots(self) -> int:
        """Slots an object, ``K``."""
        return self.point.shape[1]

    @cached_property
    def reachable(self) -> Tensor:
        """``[G]`` bool, objects that may have a point."""
        return self.valid.any(dim=1)

    def point_image(self, batch: FlatBatch) -> Tensor:
        """Return ``[U]`` int64: image of each point."""
        rows = torch.arange(self.size, device=batch.device) if self.rows is None else self.rows
        return torch.div(rows, batch.num_points, rounding_mode="floor")

    def at_points(self, value: Tensor) -> Tensor:
        """``[U, ...]``: the rows of ``value [N, ...]`` of the points that may be somebody's."""
        return value if self.rows is None else gather(value, self.rows)

    def won(self, winner: Tensor) -> Tensor:
        """Return ``[G, K]`` bool: the pairs that ``winner [U]``, -1 for none, gives a point."""
        pair = torch.arange(self.local.numel(), device=winner.device).view_as(self.local)
        return self.valid & (gather(winner, self.local) == pair)

    def used(self) -> Tensor:
        """Return ``[U]`` bool: the point is anybody's candidate."""
        count = torch.zeros(self.size, dtype=torch.int32, device=self.point.device)
        count.index_add_(0, self.local.flatten(), self.valid.flatten().int())
        return count > 0


def build_candidates(
    batch: FlatBatch, point: Tensor, valid: Tensor, closest: Callable[[FlatBatch], Tensor] | None
) -> Candidates:
    """Build the candidate table of a prior, without ignored points.

    Args:
        batch: the batch.
        point: ``[G, K]`` int64 point of the image (no image offset), anything where invalid.
        valid: ``[G, K]`` bool.
        closest: gives ``[G]`` int64, the point that an object without any candidate takes instead;
            ``None`` leaves it without.
    """
    free = flat_batch.sync_is_free(batch.device)
    offset = batch.gt_image[:, None] * batch.num_points
    flat = point + offset
    if batch.ignored is not None:
        valid = valid & ~batch.ignored[torch.where(valid, flat, 0)]
    no_candidates = ~valid.any(dim=1)
    if closest is not None and not (free and not bool(no_candidates.any())):
        instead = closest(batch) + offset[:, 0]
        usable = no_candidates if batch.ignored is None else no_candidates & ~batch.ignored[instead]
        flat = torch.cat(
            [torch.where(no_candidates, instead, flat[:, 0])[:, None], flat[:, 1:]], dim=1
        )
        valid = torch.cat([(valid[:, 0] | usable)[:, None], valid[:, 1:]], dim=1)
    if free:
        return _narrow(flat, valid, no_candidates, batch.boxes.shape[0])
    flat = torch.where(valid, flat, 0)
    return Candidates(flat, valid, no_candidates, None, flat, batch.boxes.shape[0])


def _narrow(point: Tensor, valid: Tensor, no_candidates: Tensor, total: int) -> Candidates:
    """Drop the slots that no object uses and the points that are nobody's candidate.

    Reads counts on the host, which is free on a CPU; elsewhere that would synchronise.
    """
    count = valid.sum(dim=1, keepdim=True)
    chosen = point.flatten().index_select(0, valid.flatten().nonzero()[:, 0])
    filled = torch.arange(max(1, int(count.max()))) < count
    narrow = torch.zeros(filled.shape, dtype=torch.int64).masked_scatter_(filled, chosen)
    used = torch.zeros(total, dtype=torch.bool).index_fill_(0, chosen, True)
    if not len(chosen):
        used[0] = True  # a table of no points could not be indexed; nobody's row 0 is harmless
    rows = used.nonzero()[:, 0]
    rank = torch.zeros(total, dtype=torch.int64)
    rank.scatter_(0, rows, torch.arange(len(rows)))
    return Candidates(narrow, filled, no_candidates, rows, gather(rank, narrow), len(rows))


def table_of(mask: Tensor, most: int | None = None) -> tuple[Tensor, Tensor]:
    """Return ``(point, valid)`` tables of a dense mask ``[G, A]``, rows filled from the left.

    The width is the largest count of a row, so this synchronises once; given ``most``, a
    number that no count exceeds, it is that and nothing synchronises, except on a CPU.
    """
    position = mask.cumsum(dim=1)
    free = flat_batch.sync_is_free(mask.device)
    slots = most if most is not None and not free else None
    if slots is None:
        slots = max(1, int(position[:, -1].max())) if mask.numel() else 1
    if free:
        row, column = mask.nonzero(as_tuple=True)
        point = torch.zeros((mask.shape[0], slots), dtype=torch.int64, device=mask.device)
        point[row, position[row, column] - 1] = column
    else:  # nonzero() would synchronise; False entries go to an extra column
        place = torch.where(mask, position - 1, slots)
        column = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
        point = column.new_zeros((mask.shape[0], slots + 1)).scatter_(1, place, column)[:, :slots]
    valid = torch.arange(slots, device=mask.device) < mask.sum(dim=1, keepdim=True)
    return point, valid


def gather(value: Tensor, index: Tensor) -> Tensor:
    """``value[index]`` along the first axis; on a CPU several times faster than writing that."""
    return value.index_select(0, index.flatten()).view(*index.shape, *value.shape[1:])


def best_pair(scores: Tensor | Sequence[Tensor], take: Tensor, point: Tensor, size: int) -> Tensor:
    """Return the pair with the largest score at every point.

    Args:
        scores: ``[G, K]``, or several of them, where a later one decides between pairs that are
            equal in the earlier ones; the lowest row wins a tie in all of them.
        take: ``[G, K]`` bool, pairs that compete.
        point: ``[G, K]`` int64.
        size: number of points ``N``.

    Returns:
        ``[N]`` int64 index into the flattened table, -1 where no pair competes.
    """
    where = point.flatten()
    take = take.flatten()
    for value in [scores] if isinstance(scores, Tensor) else scores:
        value = torch.where(take, value.flatten(), -torch.inf)
        best = value.new_full((size,), -torch.inf).scatter_reduce_(0, where, value, "amax")
        take = take & (value == best.index_select(0, where))
    pair = torch.arange(where.numel(), device=where.device)
    none = where.numel()
    owner = where.new_full((size,), none)
    owner = owner.scatter_reduce_(0, where, torch.where(take, pair, none), "amin")
    return torch.where(owner == none, -1, owner)
