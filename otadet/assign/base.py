"""The call that all assigners share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, gather
from otadet.assign.cover import cover, lonely_objects
from otadet.assign.match import Problem, Solution
from otadet.assign.report import AssignmentReport, empty_report, make_report
from otadet.assign.scene import (
    Scene,
    check_finite,
    flatten,
    has_float64,
    suspicious,
    waiting_is_free,
)
from otadet.types import BACKGROUND, IGNORED, Assignment, Predictions, Target


@dataclass(frozen=True, eq=False)
class Answer:
    """What an assigner worked out, before it becomes an :class:`Assignment`.

    Attributes:
        problem: candidates, costs and supply.
        solution: who gets whom.
        requested: ``[G]`` what the supply rule asked for, before any clamp.
        ignored: ``[N]`` bool, points that the assigner itself leaves out (RetinaNet's band
            between its thresholds), or ``None``.
    """

    problem: Problem
    solution: Solution
    requested: Tensor
    ignored: Tensor | None = None


class Assigner(ABC):
    """Decides which object every anchor point serves.

    All assigners promise: indices in range; points of ignore regions are
    :data:`~otadet.types.IGNORED`, neither positive nor background; the order of objects and
    images means nothing; float32 inside whatever comes in; no gradient; inputs are not touched.
    """

    min_positives: int
    """1 gives an object that ended without a point one back, 0 does not."""

    @abstractmethod
    def solve(self, scene: Scene) -> Answer:
        """Decide for a batch that has at least one object."""

    @torch.no_grad()
    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> Assignment:
        """Assign every point of a batch.

        Waits for the device once, at the end, to learn whether an object lost all its points and
        whether a prediction was not finite.

        Args:
            preds: predictions of ``B`` images at ``A`` points, any floating dtype, any device.
            targets: the objects of each image, on the same device.

        Returns:
            ``gt_index [B, A]``, ``iou [B, A]`` and scalars worth a curve.

        Raises:
            NonFiniteError: a ValueError; a prediction is NaN or infinite. Names the image.
        """
        return self.run(preds, targets).assignment

    @torch.no_grad()
    def explain(
        self, preds: Predictions, targets: Sequence[Target], gap: bool = False
    ) -> AssignmentReport:
        """The same assignment with its reasons.

        Args:
            preds: as above.
            targets: as above.
            gap: also solve the problem exactly and report how far the assignment is from it.

        Returns:
            The report, on the device of the predictions; where that has no float64 (MPS), all but
            the report's assignment is on the CPU.
        """
        result = self.run(preds, targets)
        if result.answer is None or result.winner is None:
            return empty_report(result.assignment, result.scene)
        answer = result.answer
        return make_report(
            result.assignment, result.winner, answer.problem, answer.solution,
            answer.requested, gap,
        )  # fmt: skip

    def run(self, preds: Predictions, targets: Sequence[Target]) -> Result:
        """The assignment with what it was made of; for a device without float64 the assignment
        comes back to it, the rest stays on the CPU."""
        device = preds.boxes.device
        if not has_float64(device):
            result = self.run(_on_cpu(preds), [t.to("cpu") for t in targets])
            return replace(result, assignment=_moved(result.assignment, device))
        # Inference mode spares the bookkeeping of hundreds of small operations, a seventh of the
        # time on a CPU; what leaves must be ordinary tensors that a loss may save.
        with torch.inference_mode():
            result = self._run(preds, targets)
        return replace(result, assignment=_ordinary(result.assignment))

    def _run(self, preds: Predictions, targets: Sequence[Target]) -> Result:
        with torch.autocast(preds.boxes.device.type, enabled=False):
            scene = flatten(preds, targets)
            doubt = suspicious(preds)
            if waiting_is_free(scene.device) and bool(doubt):
                check_finite(preds)
            if scene.num_objects == 0:
                if bool(doubt):
                    check_finite(preds)
                return Result(_nothing(scene), scene)
            try:
                answer = self.solve(scene)
            except ValueError:  # of a solver on the host that was given what is no number
                check_finite(preds)
                raise
            winner, candidates = answer.solution.winner, answer.problem.candidates
            lonely = torch.zeros_like(doubt)
            if self.min_positives > 0:
                lonely = lonely_objects(winner, candidates).any()
            in_doubt, any_lonely = torch.stack([doubt, lonely]).tolist()
            if in_doubt:
                check_finite(preds)
            if any_lonely:
                winner = cover(winner, candidates, answer.solution.preference)
            return Result(_assignment(scene, answer, winner), scene, answer, winner)


@dataclass(frozen=True, eq=False)
class Result:
    """Everything that came out of one call.

    Attributes:
        assignment: for the criterion.
        scene: the flattened batch.
        answer: what the assigner worked out; ``None`` where there is no object.
        winner: ``[U]`` the final winner of every candidate point, or ``None``.
    """

    assignment: Assignment
    scene: Scene
    answer: Answer | None = None
    winner: Tensor | None = None


def _on_cpu(preds: Predictions) -> Predictions:
    """What assigners look at, on the CPU."""
    quality = preds.quality_logits
    return replace(
        preds,
        boxes=preds.boxes.cpu(),
        cls_logits=preds.cls_logits.cpu(),
        quality_logits=None if quality is None else quality.cpu(),
        points=preds.points.to("cpu"),
    )


def _moved(assignment: Assignment, device: torch.device) -> Assignment:
    return Assignment(
        assignment.gt_index.to(device),
        assignment.iou.to(device),
        {name: value.to(device) for name, value in assignment.stats.items()},
    )


def _ordinary(assignment: Assignment) -> Assignment:
    """The same in tensors that know nothing of inference mode."""
    return Assignment(
        assignment.gt_index.clone(),
        assignment.iou.clone(),
        {name: value.clone() for name, value in assignment.stats.items()},
    )


def _nothing(scene: Scene) -> Assignment:
    """The assignment of a batch without objects."""
    index = torch.full((scene.boxes.shape[0],), BACKGROUND, device=scene.device)
    if scene.ignored is not None:
        index = torch.where(scene.ignored, IGNORED, index)
    shape = (scene.batch, scene.num_points)
    zero = torch.zeros((), device=scene.device)
    names = ("positives_per_object", "uncovered", "ambiguous", "marginal_error")
    return Assignment(
        index.view(shape), torch.zeros(shape, device=scene.device), dict.fromkeys(names, zero)
    )


def _assignment(scene: Scene, answer: Answer, winner: Tensor) -> Assignment:
    candidates = answer.problem.candidates
    index, iou = _spread(scene, candidates, answer.problem.iou, winner)
    for left_out in (answer.ignored, scene.ignored):
        if left_out is not None:
            index = torch.where(left_out & (index < 0), IGNORED, index)
    shape = (scene.batch, scene.num_points)
    stats = {
        "positives_per_object": (winner >= 0).sum() / scene.num_objects,
        "uncovered": candidates.uncovered.sum() / scene.batch,
        "ambiguous": answer.solution.ambiguous.sum() / scene.batch,
        "marginal_error": answer.solution.marginal_error(scene).max(),
    }
    return Assignment(index.view(shape), iou.view(shape), stats)


def _spread(
    scene: Scene, candidates: Candidates, iou: Tensor, winner: Tensor
) -> tuple[Tensor, Tensor]:
    """Winners among the candidate points as ``gt_index`` and ``iou`` of all points ``[N]``."""
    row = torch.div(winner, candidates.slots, rounding_mode="floor").clamp(min=0)
    own = row - gather(gather(scene.first_object, scene.gt_image), row)
    own = torch.where(winner >= 0, own, BACKGROUND)
    value = torch.where(winner >= 0, gather(iou.flatten(), winner.clamp(min=0)), 0.0)
    if candidates.rows is None:
        return own, value
    index = torch.full((scene.boxes.shape[0],), BACKGROUND)
    index[candidates.rows] = own
    spread = torch.zeros(scene.boxes.shape[0])
    spread[candidates.rows] = value
    return index, spread
