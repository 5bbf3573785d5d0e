"""No object without a point: a repair for objects that lost all of theirs."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, best_pair
from otadet.assign.match import received_points


def lonely_objects(winner: Tensor, candidates: Candidates) -> Tensor:
    """``[G]`` bool: objects that could have a point and won none."""
    return candidates.reachable & (received_points(winner, candidates) < 0.5)


def cover(winner: Tensor, candidates: Candidates, preference: Tensor) -> Tensor:
    """Give every object a point where that is possible at all.

    In rounds, each lonely object takes the candidate that it prefers among the points that are
    background or belong to an object with others to spare. Objects that then still have none
    (all their candidates are somebody's only point) are helped by chains of exchanges, so that
    as many objects as can have a point at the same time do.

    Args:
        winner: ``[U]`` int64 as in :class:`~otadet.assign.match.Solution`.
        candidates: the pairs.
        preference: ``[G, K]``, larger is more wanted.

    Returns:
        ``[U]`` int64, a new tensor. Waits for the device in every round; there is seldom a second.
    """
    while True:
        taken = _one_round(winner, candidates, preference)
        lonely = lonely_objects(taken, candidates)
        moved, any_lonely = torch.stack([(taken != winner).any(), lonely.any()]).tolist()
        winner = taken
        if not any_lonely:
            return winner
        if not moved:
            return _exchange(winner, candidates, lonely.nonzero()[:, 0].tolist())


def _one_round(winner: Tensor, candidates: Candidates, preference: Tensor) -> Tensor:
    local = candidates.local
    lonely = lonely_objects(winner, candidates)
    owner = torch.div(winner, candidates.slots, rounding_mode="floor")
    count = received_points(winner, candidates)
    spare = (winner < 0) | (count[owner.clamp(min=0)] > 1.5)
    open_pair = candidates.valid & lonely[:, None] & spare[local]
    wish = torch.where(open_pair, preference, -torch.inf)
    # Every lonely object makes one offer, every point takes one, every owner gives one up.
    least = torch.finfo(wish.dtype).min  # an unwanted candidate is still one
    best = torch.where(open_pair, wish.clamp(min=least), -torch.inf).argmax(dim=1, keepdim=True)
    offer = torch.zeros_like(open_pair).scatter_(1, best, open_pair.gather(1, best))
    offered = best_pair(wish, offer, local, candidates.size)
    score = torch.where(offered >= 0, wish.flatten()[offered.clamp(min=0)], -torch.inf)
    first = torch.where((offered >= 0) & (winner < 0), offered, -1)
    given = best_pair(
        score[None], (offered >= 0)[None] & (winner >= 0)[None], owner.clamp(min=0)[None],
        candidates.point.shape[0],
    )  # fmt: skip
    change = torch.where(first >= 0, first, winner)
    passed = torch.zeros(len(winner) + 1, dtype=torch.bool, device=winner.device)
    passed[torch.where(given >= 0, given, len(winner))] = True
    return torch.where(passed[:-1], offered, change)


def _exchange(winner: Tensor, candidates: Candidates, lonely: list[int]) -> Tensor:
    """Augmenting paths over points that are somebody's only one; rare, so on the host."""
    local, valid = candidates.local.tolist(), candidates.valid.tolist()
    held = winner.tolist()
    slots = candidates.slots
    for start in lonely:
        parent: dict[int, tuple[int, int]] = {}
        queue, end = [start], -1
        while queue and end < 0:
            taker = queue.pop(0)
            for slot in range(slots):
                point = local[taker][slot]
                if not valid[taker][slot] or point in parent:
                    continue
                parent[point] = (taker, taker * slots + slot)
                owner = held[point] // slots if held[point] >= 0 else -1
                if owner < 0 or sum(h >= 0 and h // slots == owner for h in held) > 1:
                    end = point
                    break
                queue.append(owner)
        while end >= 0:
            taker, pair = parent[end]
            before = next((p for p, h in enumerate(held) if h >= 0 and h // slots == taker), -1)
            held[end] = pair
            end = before if taker != start else -1
    return torch.tensor(held, dtype=winner.dtype, device=winner.device)
