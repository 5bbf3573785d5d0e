"""Inspect an image: every assigner on the same predictions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from statistics import median

import torch
from torch import Tensor

from otadet.assign import Assigner, AssignerOutput, AssignmentReport, Composed
from otadet.inspect.pairs import candidate_pairs, cost_parts, solved
from otadet.inspect.values import AssignerView, Bools, ObjectCounts, Snapshot, Totals
from otadet.postprocess import ScoreRule, combined_scores
from otadet.types import IGNORED, Points, Predictions, Target

EXACT_LIMIT = 3_000_000
"""Largest table, supplies times candidate points, that is solved exactly: about a second."""

NO_CLASS = -1
"""Label of predictions without classes."""

_CALLS = 3


def take_snapshot(
    label: str,
    preds: Predictions,
    target: Target,
    assigners: Mapping[str, Assigner],
    own: Assigner,
    score_rule: ScoreRule,
) -> Snapshot:
    """Return one image of a network under every assigner.

    Args:
        label: names the network.
        preds: of this image alone, on the CPU.
        target: its objects, at least one; predictions without classes, as of an RPN, take them as
            one class.
        assigners: by the name they are shown under.
        own: the experiment's.
        score_rule: how the quality branch enters the score.
    """
    scores = combined_scores(preds.cls_logits, preds.quality_logits, score_rule)[0]
    best = scores.max(dim=1)
    labels = best.indices
    if int(target.labels.max()) >= preds.num_classes:
        target = replace(target, labels=torch.zeros_like(target.labels))
        labels = torch.full_like(labels, NO_CLASS)
    return Snapshot(
        label=label,
        boxes=preds.boxes[0].double().numpy(),
        scores=best.values.double().numpy(),
        labels=labels.numpy(),
        views=tuple(
            inspect_assigner(name, assigner, preds, target, assigner == own)
            for name, assigner in assigners.items()
        ),
    )


def inspect_assigner(
    name: str, assigner: Assigner, preds: Predictions, target: Target, own: bool = False
) -> AssignerView:
    """Return what an assigner makes of the predictions of one image, on the CPU, and why.

    Raises:
        ValueError: the image has no object.
        NonFiniteError: a prediction is NaN or infinite.
    """
    output, seconds = _timed(assigner, preds, target)
    problem, result, winner = solved(output)
    candidates = problem.candidates
    parts = cost_parts(assigner, problem)
    report = output.report(gap=_has_gap(assigner, output))
    count = len(preds.points)
    point = candidates.point[candidates.valid]
    rows = torch.arange(count) if candidates.rows is None else candidates.rows

    def at_points(mask: Tensor) -> Bools:
        found: Bools = torch.zeros(count, dtype=torch.bool).index_copy(0, rows, mask).numpy()
        return found

    return AssignerView(
        name=name,
        own=own,
        part_names=tuple(parts),
        gt_index=output.assignment.gt_index[0].numpy(),
        ambiguous=at_points(result.contested),
        given_back=at_points((winner >= 0) & (winner != result.winner)),
        contenders=torch.bincount(point, minlength=count).numpy(),
        objects=_objects(report, preds.points),
        pairs=candidate_pairs(output, parts),
        totals=_totals(report, seconds),
    )


def _timed(assigner: Assigner, preds: Predictions, target: Target) -> tuple[AssignerOutput, float]:
    """The result, and the median of some calls in seconds."""
    seconds: list[float] = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        output = assigner.run(preds, [target])
        seconds.append(time.perf_counter() - start)
    return output, median(seconds)


def _has_gap(assigner: Assigner, output: AssignerOutput) -> bool:
    """Whether the exact optimum means something, costs little, and scipy is there."""
    problem = solved(output)[0]
    table = float(problem.supply.sum()) * problem.candidates.size
    return (
        isinstance(assigner, Composed) and table <= EXACT_LIMIT and find_spec("scipy") is not None
    )


def _objects(report: AssignmentReport, points: Points) -> ObjectCounts:
    gt_index, objects = report.assignment.gt_index[0], len(report.positives[0])
    levels = int(points.level.max()) + 1
    place = gt_index * levels + points.level
    by_level = torch.bincount(place[gt_index >= 0], minlength=objects * levels)

    def column(values: tuple[Tensor, ...]) -> Tensor:
        return values[0].double()

    return ObjectCounts(
        requested=column(report.requested).numpy(),
        supply=column(report.supply).numpy(),
        received=column(report.received).numpy(),
        positives=report.positives[0].long().numpy(),
        by_level=by_level.view(objects, levels).numpy(),
        candidates=report.candidates[0].long().numpy(),
        cost=column(report.cost).numpy(),
        uncovered=report.no_candidates[0].numpy(),
    )


def _totals(report: AssignmentReport, seconds: float) -> Totals:
    gt_index = report.assignment.gt_index[0]
    return Totals(
        positives=int((gt_index >= 0).sum()),
        without_point=int((report.positives[0] == 0).sum()),
        uncovered=int(report.uncovered[0]),
        ambiguous=int(report.ambiguous[0]),
        ignored=int((gt_index == IGNORED).sum()),
        cost=float(report.cost[0].sum()),
        gap=None if report.gap is None else float(report.gap[0]),
        marginal_error=float(report.marginal_error[0]),
        converged=bool(report.converged[0]),
        milliseconds=1000 * seconds,
    )
