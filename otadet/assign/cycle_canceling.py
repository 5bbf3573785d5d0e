"""Cycle canceling: local search that exchanges whole points until no exchange lowers the cost.

Objects and the background are the nodes of a graph. The edge from i to k means that i gains
a point of k, at the least change of cost over k's points. A cycle leaves every object with
as many points as before, so an assignment is optimal for its supplies if no cycle has a
negative sum (Klein 1967). The background's node also stands for supply that nobody serves: an
object short of its supply gives it one such unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import gather
from otadet.assign.flat_batch import sync_interval
from otadet.assign.matcher import MatchProblem

ROUNDS = 16
"""Rounds of Bellman-Ford for the whole batch; images not settled after it are solved one by one."""


def cancel_negative_cycles(
    problem: MatchProblem, winner: Tensor, quota: Tensor, shortfall_cost: float, least_gain: float
) -> Tensor:
    """Improve an assignment until no cycle gains more than ``least_gain`` an edge.

    Args:
        problem: the batch.
        winner: ``[U]`` a start in which no object has more than its quota.
        quota: ``[G]`` whole points of each object's supply.
        shortfall_cost: cost of a unit of supply that stays unserved.
        least_gain: smaller gains are left alone; rounding within the solver's own smoothing is
            not worth the time.

    Returns:
        ``winner [U]``, a new tensor where anything changed.
    """
    batch, slots = problem.batch, problem.candidates.slots
    state = _State.of(problem, winner, quota, shortfall_cost)
    graph = state.graph().weight + least_gain
    distance = torch.zeros_like(graph[:, 0])
    between = sync_interval(batch.device)
    for number in range(1, ROUNDS + 1):
        shorter = torch.minimum(distance, (distance[:, :, None] + graph).amin(dim=1))
        moved = (shorter < distance - 1e-9).any(dim=1)
        distance = shorter
        if number % between:
            continue  # a round in which nothing moves changes nothing
        unsettled: list[bool] = moved.tolist()
        if not any(unsettled):
            return winner
    winner = winner.clone()
    last = 0
    for image, count in enumerate(batch.counts):
        first, last = last, last + count
        if unsettled[image]:
            points = problem.candidates.point_image(batch) == image
            mine = state.only(points, slice(first, last)).improved(least_gain)
            winner[points] = torch.where(mine >= 0, mine + first * slots, -1).to(winner.device)
    return winner


@dataclass(frozen=True, eq=False)
class _Graph:
    """``weight [B, m, m]`` of the edges and ``pair [B, m, m]`` that changes hands on them."""

    weight: Tensor
    pair: Tensor


@dataclass(eq=False)
class _State:
    """Assignment during cycle canceling; all images padded to ``m - 1`` objects."""

    cost: Tensor  # [G, K] reduced, infinite where no candidate
    local: Tensor  # [G, K]
    winner: Tensor  # [U]
    quota: Tensor  # [G]
    node: Tensor  # [G] row of each object among its image's
    image: Tensor  # [G]
    point_image: Tensor  # [U]
    num_images: int
    nodes: int  # m
    shortfall_cost: float

    @staticmethod
    def of(problem: MatchProblem, winner: Tensor, quota: Tensor, shortfall_cost: float) -> _State:
        batch, candidates = problem.batch, problem.candidates
        cost = (problem.cost.object - problem.cost.background).double()
        index = torch.arange(batch.num_objects, device=batch.device)
        return _State(
            cost=torch.where(candidates.valid, cost, torch.inf),
            local=candidates.local,
            winner=winner,
            quota=torch.where(candidates.valid.any(dim=1), quota.round().double(), 0.0),
            node=index - gather(batch.first_object, batch.gt_image),
            image=batch.gt_image,
            point_image=candidates.point_image(batch),
            num_images=batch.num_images,
            nodes=max(batch.counts) + 1,
            shortfall_cost=shortfall_cost,
        )

    def only(self, points: Tensor, rows: slice) -> _State:
        """One image alone, on the host."""
        slots = self.local.shape[1]
        rank = points.cumsum(0) - 1
        winner = self.winner[points]
        return _State(
            cost=self.cost[rows].cpu(),
            local=rank[self.local[rows]].clamp(min=0).cpu(),
            winner=torch.where(winner >= 0, winner - rows.start * slots, -1).cpu(),
            quota=self.quota[rows].cpu(),
            node=self.node[rows].cpu(),
            image=torch.zeros_like(self.image[rows]).cpu(),
            point_image=torch.zeros(winner.shape[0], dtype=torch.int64),
            num_images=1,
            nodes=rows.stop - rows.start + 1,
            shortfall_cost=self.shortfall_cost,
        )

    def graph(self) -> _Graph:
        """Return all edges of the present assignment."""
        m, slots = self.nodes, self.local.shape[1]
        held = self.winner >= 0
        owner = torch.div(self.winner.clamp(min=0), slots, rounding_mode="floor")
        paid = torch.where(held, self.cost.flatten()[self.winner.clamp(min=0)], 0.0)
        seat = torch.where(held, gather(self.node, owner), m - 1)
        base = self.image * m * m
        # An object gains a point from its owner or the background ...
        gain = self.cost - gather(paid, self.local)
        place = (base + self.node * m)[:, None] + gather(seat, self.local)
        pair = torch.arange(gain.numel(), device=gain.device)
        own = gather(self.winner, self.local).flatten() == pair
        gain = torch.where(own, torch.inf, gain.flatten())
        # ... the background gains one from its owner, or nobody is served.
        back = torch.where(held, -paid, torch.inf)
        back_place = self.point_image * m * m + (m - 1) * m + seat
        count = torch.zeros_like(self.quota).index_add_(0, owner, held.to(self.quota))
        short = torch.where(count < self.quota - 0.5, -self.shortfall_cost, torch.inf)
        value = torch.cat([gain, back, short, torch.full_like(short, self.shortfall_cost)])
        where = torch.cat([
            place.flatten(), back_place, base + (m - 1) * m + self.node,
            base + self.node * m + m - 1,
        ])  # fmt: skip
        moved = torch.cat([pair, self.winner, torch.full_like(self.node, -1).repeat(2)])
        weight = value.new_full((self.num_images * m * m,), torch.inf)
        weight.scatter_reduce_(0, where, value, "amin")
        best = (value == weight[where]) & torch.isfinite(value)
        chosen = moved.new_full((self.num_images * m * m,), -1)
        chosen.scatter_reduce_(0, where, torch.where(best, moved, -1), "amax")
        return _Graph(weight.view(self.num_images, m, m), chosen.view(self.num_images, m, m))

    def improved(self, least_gain: float) -> Tensor:
        """Cancel negative cycles one after the other; for one image."""
        while True:
            graph = self.graph()
            path = _negative_cycle(graph.weight[0] + least_gain)
            if path is None:
                return self.winner
            self.winner = self.winner.clone()
            # Who gives a point to nobody in particular must let go before another takes it.
            moves = [(i, k, int(graph.pair[0, i, k])) for i, k in zip(path, path[1:] + path[:1])]
            for taker, _, pair in moves:
                if pair >= 0 and taker == self.nodes - 1:
                    self.winner[self.local.flatten()[pair]] = -1
            for taker, _, pair in moves:
                if pair >= 0 and taker != self.nodes - 1:
                    self.winner[self.local.flatten()[pair]] = pair


def _negative_cycle(weight: Tensor) -> list[int] | None:
    """Return the nodes of a negative cycle, or ``None`` (Bellman and Ford)."""
    nodes = weight.shape[0]
    distance = torch.zeros_like(weight[0])
    before = torch.full((nodes,), -1)
    for _ in range(nodes + 1):
        through, source = (distance[:, None] + weight).min(dim=0)
        better = through < distance - 1e-9
        if not bool(better.any()):
            return None
        distance = torch.where(better, through, distance)
        before = torch.where(better, source, before)
        path = _find_cycle(before.tolist())
        if path is not None:
            return path
    return None


def _find_cycle(before: list[int]) -> list[int] | None:
    """Return a cycle among predecessors, in the direction of travel."""
    state = [0] * len(before)
    for start in range(len(before)):
        walk: list[int] = []
        node = start
        while node >= 0 and state[node] == 0:
            state[node] = 1
            walk.append(node)
            node = before[node]
        if node >= 0 and state[node] == 1 and node in walk:
            return walk[walk.index(node) :][::-1]
        for visited in walk:
            state[visited] = 2
    return None
