"""Minimum positives: give each object that won no point one of its candidates."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, best_pair
from otadet.assign.matcher import received_points


def unmatched_objects(winner: Tensor, candidates: Candidates) -> Tensor:
    """Return ``[G]`` bool: objects that could have a point and won none."""
    return candidates.reachable & (received_points(winner, candidates) < 0.5)


def ensure_min_positives(winner: Tensor, candidates: Candidates, preference: Tensor) -> Tensor:
    """Give as many objects as possible at least one point.

    In rounds, each unmatched object takes the candidate that it prefers among the points that are
    background or belong to an object with others to spare. Objects that then still have none
    (all their candidates are another object's only point) get one by augmenting paths, so that
    as many objects as can have a point at the same time do.

    Args:
        winner: ``[U]`` int64 as in :class:`~otadet.assign.matcher.MatchResult`.
        candidates: the pairs.
        preference: ``[G, K]``, larger is more wanted.

    Returns:
        ``[U]`` int64, a new tensor. Synchronises in every round; there is seldom a second.
    """
    while True:
        taken = _one_round(winner, candidates, preference)
        unmatched = unmatched_objects(taken, candidates)
        moved, any_unmatched = torch.stack([(taken != winner).any(), unmatched.any()]).tolist()
        winner = taken
        if not any_unmatched:
            return winner
        if not moved:
            return _augment(winner, candidates, unmatched.nonzero()[:, 0].tolist())


def _one_round(winner: Tensor, candidates: Candidates, preference: Tensor) -> Tensor:
    local = candidates.local
    unmatched = unmatched_objects(winner, candidates)
    owner = torch.div(winner, candidates.slots, rounding_mode="floor")
    count = received_points(winner, candidates)
    spare = (winner < 0) | (count[owner.clamp(min=0)] > 1.5)
    open_pair = candidates.valid & unmatched[:, None] & spare[local]
    wish = torch.where(open_pair, preference, -torch.inf)
    # Each unmatched object proposes to one point, each point accepts one, each owner gives up one.
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


def _augment(winner: Tensor, candidates: Candidates, unmatched: list[int]) -> Tensor:
    """Augmenting paths over points that are somebody's only one, on the host.

    Breadth-first from each unmatched object to a point that is background or whose owner has
    others. Points that a failed search visited lead nowhere in any later one (Kuhn 1955), so every
    candidate pair is looked at once, and objects that no search reaches not at all.
    """
    slots = candidates.slots
    local, valid = candidates.local.cpu().numpy(), candidates.valid.cpu().numpy()
    held = winner.cpu().numpy().copy()
    owner = np.where(held >= 0, held // slots, -1)
    count = np.bincount(owner[owner >= 0], minlength=len(local))
    dead_ends: set[int] = set()
    for start in unmatched:
        taken_by: dict[int, int] = {}
        queue, end = deque([start]), -1
        while queue and end < 0:
            taker = queue.popleft()
            for point in local[taker][valid[taker]].tolist():
                if point in taken_by or point in dead_ends:
                    continue
                taken_by[point] = taker
                if owner[point] < 0 or count[owner[point]] > 1:
                    end = point
                    break
                queue.append(int(owner[point]))
        if end < 0:
            dead_ends.update(taken_by)
            continue
        if owner[end] >= 0:
            count[owner[end]] -= 1
        count[start] = 1
        while end >= 0:
            taker = taken_by[end]
            mine = local[taker][valid[taker]]
            given_up = mine[owner[mine] == taker]
            slot = int(np.flatnonzero((local[taker] == end) & valid[taker])[0])
            owner[end], held[end] = taker, taker * slots + slot
            end = int(given_up[0]) if taker != start else -1
    return torch.from_numpy(held).to(winner.device)
