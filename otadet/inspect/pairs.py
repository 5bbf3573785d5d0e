"""Candidate pairs of an assigner's result: cost in its parts, plan, and who else wanted a point."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.assign import (
    ATSS,
    TAL,
    Assigner,
    AssignerOutput,
    Cost,
    FCOSAssigner,
    MatchProblem,
    MatchResult,
    MaxIoU,
)
from otadet.assign.costs import terms_of
from otadet.assign.report import plan_shares
from otadet.inspect.values import Pairs

RIVALS = 6
"""Pairs that are kept of a point: its owner and the next best."""

CLAIM = 0.01
"""Share of the plan from which an object counts as one that wants the point."""

_SCORES: dict[type[Assigner], str] = {
    ATSS: "- anchor IoU", MaxIoU: "- anchor IoU", FCOSAssigner: "box area, px²",
    TAL: "- alignment",
}  # fmt: skip
"""What rules minimise in place of a cost."""


def solved(output: AssignerOutput) -> tuple[MatchProblem, MatchResult, Tensor]:
    """Return problem, result and winners of an image with objects.

    Raises:
        ValueError: it has none.
    """
    if output.problem is None or output.result is None or output.winner is None:
        raise ValueError("expected an image with at least one object, got none")
    return output.problem, output.result, output.winner


def cost_parts(assigner: Assigner, problem: MatchProblem) -> dict[str, Tensor]:
    """Return the weighted terms ``[G, K]`` of the cost by name; they sum to the problem's cost."""
    cost = getattr(assigner, "cost", None)
    if not isinstance(cost, Cost):
        return {_SCORES.get(type(assigner), "cost"): problem.cost.object}
    batch, candidates = problem.batch, problem.candidates
    parts: dict[str, Tensor] = {}
    for weight, term in terms_of(cost):
        name = type(term).__name__.removesuffix("Cost")
        name = name if weight == 1 else f"{weight:g} {name}"
        parts[name] = weight * term(batch, candidates, problem.iou).object
    if candidates.penalty is not None and bool((candidates.penalty > 0).any()):
        parts["penalty"] = candidates.penalty
    return parts


def candidate_pairs(output: AssignerOutput, parts: dict[str, Tensor], most: int = RIVALS) -> Pairs:
    """Return the best ``most`` pairs of every candidate point of the only image of ``output``."""
    problem, result, winner = solved(output)
    row, slot = _kept(problem, result, winner, most)
    share = plan_shares(problem, result)[row, slot]
    claimed = share >= CLAIM if result.claimed is None else result.claimed[row, slot]

    def column(value: Tensor) -> Tensor:
        return value[row, slot].double()

    return Pairs(
        point=problem.candidates.point[row, slot].numpy(),
        object=row.numpy(),
        parts=torch.stack([column(part) for part in parts.values()], dim=1).numpy(),
        background=column(problem.cost.background).numpy(),
        iou=column(problem.iou).numpy(),
        share=share.double().numpy(),
        claimed=claimed.numpy(),
    )


def _kept(
    problem: MatchProblem, result: MatchResult, winner: Tensor, most: int
) -> tuple[Tensor, Tensor]:
    """Rows and slots of the pairs kept, sorted by point; the owner first, then by preference."""
    candidates = problem.candidates
    row, slot = candidates.valid.nonzero(as_tuple=True)
    point = candidates.local[row, slot]
    own = winner[point] == row * candidates.slots + slot
    order = result.preference[row, slot].argsort(descending=True, stable=True)
    order = order[own[order].int().argsort(descending=True, stable=True)]
    order = order[point[order].argsort(stable=True)]
    ranked = point[order]
    kept = order[torch.arange(len(order)) - torch.searchsorted(ranked, ranked) < most]
    return row[kept], slot[kept]
