"""Report of an assignment: supplies, costs, plan and solver quality."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.exact import Exact
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult, received_points
from otadet.types import Assignment


@dataclass(frozen=True, eq=False)
class SparsePlan:
    """Shares above zero of one image's candidate pairs.

    Attributes:
        object: ``[P]`` int64 index into the image's ``Target``.
        point: ``[P]`` int64 index of the anchor point.
        share: ``[P]`` float32, what the object gives to the point; the background gives the rest.
    """

    object: Tensor
    point: Tensor
    share: Tensor


@dataclass(frozen=True, eq=False)
class AssignmentReport:
    """Assignment and the quantities that led to it.

    Tuples hold one tensor an image, over its objects in the order of its ``Target``; plain tensors
    hold one value an image.

    Attributes:
        assignment: what the assigner returned.
        requested: points that the supply rule gave each object.
        supply: points that the matcher aimed at for each: ``requested``, scaled down where the sum
            exceeds the image's points, less what the matcher found impossible. For rules without
            a supply, the points an object claimed before conflicts were resolved.
        received: points that the matcher's result gives each: row sums of the plan in which
            every point is served exactly once, whole points for rules.
        positives: points that each object has in the assignment.
        candidates: number of points that each object could have had.
        reachable: for each image, for each object, int64 indices of those points.
        cost: sum of the costs of the points that each object has.
        no_candidates: bool, the prior found no point for the object.
        marginal_error: largest ``|received - supply|``.
        iterations: steps of the solver, 0 where nothing iterates.
        converged: bool.
        ambiguous: points shared by several objects or the background (no share reaches 0.9), or
            for rules points that several objects claimed.
        uncovered: objects for which the prior found no point.
        entropy: entropy of the plan in nats, summed over points.
        plan: the shares.
        gap: cost of the assignment's pairs above the optimum of the same problem (reduced costs,
            ``c_ij - c_bg_j``); negative where fewer points than the supply were handed out.
            ``None`` unless ``gap=True``.
    """

    assignment: Assignment
    requested: tuple[Tensor, ...]
    supply: tuple[Tensor, ...]
    received: tuple[Tensor, ...]
    positives: tuple[Tensor, ...]
    candidates: tuple[Tensor, ...]
    reachable: tuple[tuple[Tensor, ...], ...]
    cost: tuple[Tensor, ...]
    no_candidates: tuple[Tensor, ...]
    marginal_error: Tensor
    iterations: Tensor
    converged: Tensor
    ambiguous: Tensor
    uncovered: Tensor
    entropy: Tensor
    plan: tuple[SparsePlan, ...]
    gap: Tensor | None = None


def make_report(
    assignment: Assignment, winner: Tensor, problem: MatchProblem, result: MatchResult, gap: bool
) -> AssignmentReport:
    """Return the report of a solved problem; ``winner [U]`` is the final one."""
    batch, candidates = problem.batch, problem.candidates

    def split(value: Tensor) -> tuple[Tensor, ...]:
        return torch.split(value, list(batch.counts))

    return AssignmentReport(
        assignment=assignment,
        requested=split(problem.requested),
        supply=split(result.supply),
        received=split(result.received),
        positives=split(received_points(winner, candidates)),
        candidates=split(candidates.valid.sum(dim=1)),
        reachable=_reachable(problem),
        cost=split(_won(problem, winner, problem.cost.object)),
        no_candidates=split(candidates.no_candidates),
        marginal_error=result.marginal_error(batch),
        iterations=result.iterations,
        converged=result.converged,
        ambiguous=result.ambiguous,
        uncovered=batch.per_image(candidates.no_candidates),
        entropy=_entropy(problem, result),
        plan=_sparse(problem, result),
        gap=_gap(problem, winner) if gap else None,
    )


def empty_report(assignment: Assignment, batch: FlatBatch) -> AssignmentReport:
    """Return the report of a batch without objects."""
    none = tuple(torch.zeros(0, device=batch.device) for _ in batch.counts)
    zeros = torch.zeros(batch.num_images, device=batch.device)
    no_index = torch.zeros(0, dtype=torch.int64, device=batch.device)
    return AssignmentReport(
        assignment=assignment,
        requested=none, supply=none, received=none, positives=none, candidates=none, cost=none,
        reachable=tuple(() for _ in none),
        no_candidates=tuple(n.bool() for n in none),
        marginal_error=zeros, iterations=zeros.long(), converged=zeros == 0, ambiguous=zeros,
        uncovered=zeros, entropy=zeros,
        plan=tuple(SparsePlan(no_index, no_index, n) for n in none),
    )  # fmt: skip


def _reachable(problem: MatchProblem) -> tuple[tuple[Tensor, ...], ...]:
    batch, candidates = problem.batch, problem.candidates
    point = candidates.point - batch.gt_image[:, None] * batch.num_points
    rows = iter(range(batch.num_objects))
    return tuple(
        tuple(point[i][candidates.valid[i]] for i in itertools.islice(rows, count))
        for count in batch.counts
    )


def _won(problem: MatchProblem, winner: Tensor, value: Tensor) -> Tensor:
    """Return ``[G]`` sums of ``value [G, K]`` over the pairs that won."""
    return torch.where(problem.candidates.won(winner), value, 0.0).sum(dim=1)


def plan_shares(problem: MatchProblem, result: MatchResult) -> Tensor:
    """Return the plan ``[G, K]``, whole points where the matcher has no shares."""
    if result.plan is not None:
        return result.plan
    return problem.candidates.won(result.winner).float()


def _entropy(problem: MatchProblem, result: MatchResult) -> Tensor:
    batch, candidates = problem.batch, problem.candidates
    share = torch.where(candidates.valid, plan_shares(problem, result), 0.0).double()
    rest = share.new_ones(candidates.size)
    rest = rest.index_add_(0, candidates.local.flatten(), -share.flatten()).clamp(min=0)
    total = torch.zeros(batch.num_images, dtype=share.dtype, device=share.device)
    total.index_add_(0, candidates.point_image(batch), -torch.xlogy(rest, rest))
    return (total.index_add_(0, batch.gt_image, -torch.xlogy(share, share).sum(dim=1))).float()


def _sparse(problem: MatchProblem, result: MatchResult) -> tuple[SparsePlan, ...]:
    batch, candidates = problem.batch, problem.candidates
    share = plan_shares(problem, result)
    row, slot = (candidates.valid & (share > 0)).nonzero(as_tuple=True)
    plans: list[SparsePlan] = []
    for image, count in enumerate(batch.counts):
        first = sum(batch.counts[:image])
        mine = (row >= first) & (row < first + count)
        where = row[mine], slot[mine]
        point = candidates.point[where] - image * batch.num_points
        plans.append(SparsePlan(row[mine] - first, point, share[where].float()))
    return tuple(plans)


def _gap(problem: MatchProblem, winner: Tensor) -> Tensor:
    """Return ``[B]`` reduced cost above the optimum."""
    reduced = problem.cost.object - problem.cost.background
    best = Exact()(problem).winner
    return problem.batch.per_image(_won(problem, winner, reduced) - _won(problem, best, reduced))
