"""Base class of all assigners: one call from predictions and targets to an assignment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from otadet.assign.candidates import gather
from otadet.assign.flat_batch import (
    FlatBatch,
    check_finite,
    flatten,
    has_float64,
    has_nonfinite,
    sync_is_free,
)
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.min_positives import ensure_min_positives, unmatched_objects
from otadet.assign.report import AssignmentReport, empty_report, make_report
from otadet.types import BACKGROUND, IGNORED, Assignment, Predictions, Target


@dataclass(frozen=True, eq=False)
class AssignerOutput:
    """Assignment of a batch with what it was made from.

    Attributes:
        assignment: for the criterion.
        batch: the flattened batch.
        problem: candidates, costs and supply; ``None`` where the batch has no object.
        result: the matcher's result, or ``None``.
        winner: ``[U]`` the winning pair of every candidate point after ``min_positives``, or
            ``None``.
    """

    assignment: Assignment
    batch: FlatBatch
    problem: MatchProblem | None = None
    result: MatchResult | None = None
    winner: Tensor | None = None

    def report(self, gap: bool = False) -> AssignmentReport:
        """Report how it came about; ``gap`` also solves the problem exactly and compares."""
        if self.problem is None or self.result is None or self.winner is None:
            return empty_report(self.assignment, self.batch)
        return make_report(self.assignment, self.winner, self.problem, self.result, gap)


class Assigner(ABC):
    """Assigns every anchor point to an object, the background or no loss at all.

    All assigners promise: indices in range; points of ignore regions are
    :data:`~otadet.types.IGNORED`, neither positive nor background; the order of objects and
    images does not matter; float32 inside whatever comes in; no gradient; inputs are not touched.
    """

    min_positives: int
    """1 gives every object at least one point where that is possible, 0 does not."""

    @abstractmethod
    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Build and solve the match problem of a batch that has at least one object."""

    @torch.no_grad()
    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> Assignment:
        """Assign every point of a batch.

        Synchronises with the device once, at the end, to learn whether an object won no point
        and whether a prediction was not finite; if an object won none, again in each round of
        ``min_positives``. Some priors and solvers synchronise too.

        Args:
            preds: predictions of ``B`` images at ``A`` points, any floating dtype, any device.
            targets: the objects of each image, on the same device.

        Returns:
            ``gt_index [B, A]``, ``iou [B, A]`` and scalars to log.

        Raises:
            NonFiniteError: a ValueError; a prediction is NaN or infinite. Names the image.
        """
        return self.run(preds, targets).assignment

    @torch.no_grad()
    def explain(
        self, preds: Predictions, targets: Sequence[Target], gap: bool = False
    ) -> AssignmentReport:
        """Assign every point of a batch and report how.

        Args:
            preds: as above.
            targets: as above.
            gap: also solve the problem exactly and report how far the assignment is from it.

        Returns:
            The report, on the device of the predictions; where that has no float64 (MPS), all but
            the report's assignment is on the CPU.
        """
        return self.run(preds, targets).report(gap)

    def run(self, preds: Predictions, targets: Sequence[Target]) -> AssignerOutput:
        """Assign and keep what the assignment was made from.

        For a device without float64, all but the assignment stays on the CPU.
        """
        device = preds.boxes.device
        if not has_float64(device):
            output = self.run(on_cpu(preds), [t.to("cpu") for t in targets])
            return replace(output, assignment=_each(output.assignment, lambda t: t.to(device)))
        # Inference mode spares the bookkeeping of hundreds of small operations, a seventh of the
        # time on a CPU; what leaves must be ordinary tensors that a loss may save.
        with torch.inference_mode():
            output = self._run(preds, targets)
        return replace(output, assignment=_each(output.assignment, Tensor.clone))

    def _run(self, preds: Predictions, targets: Sequence[Target]) -> AssignerOutput:
        with torch.autocast(preds.boxes.device.type, enabled=False):
            batch = flatten(preds, targets)
            doubt = has_nonfinite(preds)
            if sync_is_free(batch.device) and bool(doubt):
                check_finite(preds)
            if batch.num_objects == 0:
                if bool(doubt):
                    check_finite(preds)
                return AssignerOutput(_nothing(batch), batch)
            try:
                problem, result = self.solve(batch)
            except ValueError:  # of a solver on the host that was given values that are not finite
                check_finite(preds)
                raise
            winner, candidates = result.winner, problem.candidates
            unmatched = torch.zeros_like(doubt)
            if self.min_positives > 0:
                unmatched = unmatched_objects(winner, candidates).any()
            in_doubt, any_unmatched = torch.stack([doubt, unmatched]).tolist()
            if in_doubt:
                check_finite(preds)
            if any_unmatched:
                winner = ensure_min_positives(winner, candidates, result.preference)
            assignment = _assignment(problem, result, winner)
            return AssignerOutput(assignment, batch, problem, result, winner)


def on_cpu(preds: Predictions) -> Predictions:
    """Copy what assigners read to the CPU."""
    quality = preds.quality_logits
    return replace(
        preds,
        boxes=preds.boxes.cpu(),
        cls_logits=preds.cls_logits.cpu(),
        quality_logits=None if quality is None else quality.cpu(),
        points=preds.points.to("cpu"),
    )


def _each(assignment: Assignment, change: Callable[[Tensor], Tensor]) -> Assignment:
    """Change every tensor of an assignment."""
    return Assignment(
        change(assignment.gt_index),
        change(assignment.iou),
        {name: change(value) for name, value in assignment.stats.items()},
    )


def _nothing(batch: FlatBatch) -> Assignment:
    """Return the assignment of a batch without objects."""
    index = torch.full((batch.boxes.shape[0],), BACKGROUND, device=batch.device)
    if batch.ignored is not None:
        index = torch.where(batch.ignored, IGNORED, index)
    shape = (batch.num_images, batch.num_points)
    zero = torch.zeros((), device=batch.device)
    names = ("positives_per_object", "uncovered", "ambiguous", "marginal_error")
    return Assignment(
        index.view(shape), torch.zeros(shape, device=batch.device), dict.fromkeys(names, zero)
    )


def _assignment(problem: MatchProblem, result: MatchResult, winner: Tensor) -> Assignment:
    """Return the assignment of the final winners, with its statistics."""
    batch, candidates = problem.batch, problem.candidates
    index, iou = _spread(problem, winner)
    for ignored in (problem.ignored, batch.ignored):
        if ignored is not None:
            index = torch.where(ignored & (index < 0), IGNORED, index)
    shape = (batch.num_images, batch.num_points)
    stats = {
        "positives_per_object": (winner >= 0).sum() / batch.num_objects,
        "uncovered": candidates.no_candidates.sum() / batch.num_images,
        "ambiguous": result.ambiguous.sum() / batch.num_images,
        "marginal_error": result.marginal_error(batch).max(),
    }
    return Assignment(index.view(shape), iou.view(shape), stats)


def _spread(problem: MatchProblem, winner: Tensor) -> tuple[Tensor, Tensor]:
    """Winners among the candidate points as ``gt_index`` and ``iou`` of all points ``[N]``."""
    batch, candidates, iou = problem.batch, problem.candidates, problem.iou
    row = torch.div(winner, candidates.slots, rounding_mode="floor").clamp(min=0)
    own = row - gather(gather(batch.first_object, batch.gt_image), row)
    own = torch.where(winner >= 0, own, BACKGROUND)
    value = torch.where(winner >= 0, gather(iou.flatten(), winner.clamp(min=0)), 0.0)
    if candidates.rows is None:
        return own, value
    index = torch.full((batch.boxes.shape[0],), BACKGROUND)
    index[candidates.rows] = own
    spread = torch.zeros(batch.boxes.shape[0])
    spread[candidates.rows] = value
    return index, spread
