"""What the finished runs of a comparison left: metrics, curves, cost, and AP of resamples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otadet.compare.metrics_file import (
    Line,
    peak_memory_mib,
    seconds_a_step,
    seconds_in_steps,
)
from otadet.compare.plan import Run
from otadet.engine.initial_weights import read_digests
from otadet.engine.loggers import read_metrics
from otadet.engine.run_record import RunRecord, read_record
from otadet.errors import InputError
from otadet.evaluation import SavedEvaluation, load_evaluation
from otadet.evaluation.crowding import neighbour_iou
from otadet.evaluation.flat import Bools, Flat, Floats
from otadet.evaluation.resampling import RankedMatches, resample_images
from otadet.evaluation.saved import FILE

CROWDED = 0.3
"""An object is crowded where its IoU with another of its class is larger."""

KINDS = ("AP", "AP alone", "AP crowded")
"""APs that are computed here: of all objects, of those that are not crowded, of those that are."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One finished run.

    Attributes:
        run: which one.
        metrics: of its final weights by name.
        lines: of its ``metrics.jsonl``.
        digests: of its initial weights by name; empty where it recorded none.
        record: what it ran on; ``None`` of an older run.
        evaluation: its detections and the ground truth.
        ap: by :data:`KINDS`, on all images; NaN without such objects.
        resampled: ``[B]`` the same on resampled images.
    """

    run: Run
    metrics: Mapping[str, float]
    lines: Sequence[Line]
    digests: Mapping[str, str]
    record: RunRecord | None
    evaluation: SavedEvaluation
    ap: Mapping[str, float]
    resampled: Mapping[str, Floats]

    @property
    def cost(self) -> dict[str, float]:
        """Seconds a step, minutes in steps, and peak memory, as far as they are known."""
        batch = self.run.batch_size
        known: dict[str, float | None] = {
            "seconds a step": seconds_a_step(self.lines, batch),
            "minutes in steps": seconds_in_steps(self.lines, batch) / 60,
            "peak memory, MiB": peak_memory_mib(self.lines),
        }
        return {name: value for name, value in known.items() if value is not None}


def read_outcomes(runs: Sequence[Run], resamples: int) -> list[Outcome]:
    """Read finished runs, and compute AP on resampled images, the same for all of them.

    Args:
        runs: that are done.
        resamples: number of resamples.

    Raises:
        InputError: runs of one seed were evaluated on different ground truth.
    """
    outcomes = [_outcome(run, resamples) for run in runs]
    _check_ground_truth(outcomes)
    return outcomes


def _outcome(run: Run, resamples: int) -> Outcome:
    if run.evaluation is None:
        raise ValueError(f"{run.name}: is not to be evaluated")
    evaluation = load_evaluation(run.evaluation / FILE)
    ap, resampled = _aps(evaluation, resamples)
    return Outcome(
        run, _metrics(run.evaluation), read_metrics(run.folder), read_digests(run.folder),
        read_record(run.folder), evaluation, ap, resampled,
    )  # fmt: skip


def _metrics(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def _aps(evaluation: SavedEvaluation, resamples: int) -> tuple[dict[str, float], dict[str, Floats]]:
    gts, names, found = evaluation
    flat = Flat.of(gts, len(names), found)
    weights = resample_images(len(gts), resamples)
    whole = np.ones((1, len(gts)), np.int64)
    crowded = neighbour_iou(flat.objects) > CROWDED
    wanted: dict[str, Bools | None] = dict(zip(KINDS, (None, ~crowded, crowded)))
    rows = np.concatenate([whole, weights])
    values = {kind: RankedMatches.of(flat, these).ap(rows) for kind, these in wanted.items()}
    return (
        {kind: float(row[0]) for kind, row in values.items()},
        {kind: row[1:] for kind, row in values.items()},
    )


def crowded_objects(evaluation: SavedEvaluation) -> int:
    """Count the crowded objects."""
    flat = Flat.of(evaluation.gts, len(evaluation.class_names), evaluation.detections)
    return int((neighbour_iou(flat.objects) > CROWDED).sum())


def _check_ground_truth(outcomes: Sequence[Outcome]) -> None:
    first: dict[int, Outcome] = {}
    for each in outcomes:
        other = first.setdefault(each.run.seed, each)
        if other.evaluation.digest() != each.evaluation.digest():
            raise InputError(
                f"{other.run.name} and {each.run.name} were evaluated on different ground truth "
                "(other images, objects or classes): they cannot be compared"
            )
