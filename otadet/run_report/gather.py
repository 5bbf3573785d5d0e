"""Gather what the report of a run says from the files of its directory and its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from otadet.data import Dataset
from otadet.doctor.config import InputFrame
from otadet.engine.checkpoint import Checkpoint, load_checkpoint
from otadet.engine.periodic_evaluation import BEST_DETECTIONS
from otadet.engine.report import has_report
from otadet.engine.run_directory import is_running
from otadet.engine.run_record import RunRecord
from otadet.errors import InputError
from otadet.evaluation import SavedEvaluation, load_evaluation
from otadet.evaluation.flat import Ints
from otadet.exp import BaseExp
from otadet.pages import Histogram, Mark
from otadet.run_report.augmented import AugmentedGroup, augmented_images
from otadet.run_report.conclusion import Conclusion, conclude
from otadet.run_report.curves import ChartGroup, curves
from otadet.run_report.data_charts import data_charts
from otadet.run_report.examples import (
    ExampleGroup,
    ImageRow,
    contested_shares,
    example_groups,
    image_rows,
)
from otadet.run_report.metric_lines import MetricLines
from otadet.run_report.scores import Scores, compute_scores
from otadet.run_report.timing import Timing, measure_time

Status = Literal["finished", "stopped early", "stopped", "running"]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Subject:
    """The run of a report, and what could be made of it.

    Attributes:
        folder: run directory.
        record: of ``run.json``; ``None`` for runs of older versions.
        exp: the experiment; ``None`` where its file is not there.
        train_data: training set; ``None`` where it cannot be read.
        val_data: validation set; likewise.
        status: of the run; ``None`` finds out.
        missing: reasons why something is not there, by what.
    """

    folder: Path
    record: RunRecord | None
    exp: BaseExp | None = None
    train_data: Dataset | None = None
    val_data: Dataset | None = None
    status: Status | None = None
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RunReport:
    """Everything that the page shows; what there is none of is ``None`` or empty.

    Attributes:
        folder: run directory.
        record: what ran, and on what.
        status: of the run.
        step: steps done.
        best: checkpoint of the best evaluation, without its weights.
        best_metric: name of the metric that it is best in.
        scores: of its detections.
        conclusion: what it comes to.
        curves: of what was logged.
        examples: validation images.
        rows: numbers of the images of the lowest F1.
        labels: of the training set, counted.
        augmented: training images.
        timing: by phase.
        missing: reasons why something is not there, by what.
    """

    folder: Path
    record: RunRecord | None
    status: Status
    step: int
    best: Checkpoint | None
    best_metric: str
    scores: Scores | None
    conclusion: Conclusion | None
    curves: list[ChartGroup]
    examples: list[ExampleGroup]
    rows: list[ImageRow]
    labels: list[Histogram]
    augmented: list[AugmentedGroup]
    timing: Timing | None
    missing: dict[str, str]


@dataclass(frozen=True)
class Attempts:
    """Collects the reasons of what cannot be had."""

    missing: dict[str, str] = field(default_factory=dict)

    def attempt(self, what: str, make: Callable[[], T], otherwise: T) -> T:
        """Return what is made, or ``otherwise`` with a note of the reason."""
        try:
            return make()
        except InputError as error:
            self.missing[what] = str(error)
            return otherwise


def gather(subject: Subject) -> RunReport:
    """Gather a report; what cannot be read is noted in ``missing``."""
    folder, exp, record = subject.folder, subject.exp, subject.record
    work = Attempts(dict(subject.missing))
    lines = MetricLines.read(folder)
    best = work.attempt("best weights", lambda: _without_weights(folder / "best.pth"), None)
    settings = record.settings if record else best.settings if best else {}
    metric = str(settings.get("best_metric", "AP"))
    found = work.attempt("validation", lambda: load_evaluation(folder / BEST_DETECTIONS), None)
    scores = None
    if found is not None:
        cap = int(settings.get("max_detections", 100))
        scores = compute_scores(found, cap, _objects_by_class(subject.train_data))
    contested = None
    if found is not None and exp is not None:
        contested = contested_shares(found, InputFrame.of(exp))
    examples: list[ExampleGroup] = []
    if found is not None and scores is not None and subject.val_data is not None:
        data = subject.val_data
        examples = work.attempt("validation images", lambda: example_groups(
            found, scores.matches, _same_images(data, found), contested and contested[0]), []
        )  # fmt: skip
    return RunReport(
        folder=folder,
        record=record,
        status=subject.status or _status(folder, record, lines.step),
        step=lines.step,
        best=best,
        best_metric=metric,
        scores=scores,
        conclusion=conclude(scores, lines.val) if scores is not None else None,
        curves=curves(lines, _mark(best, metric)),
        examples=examples,
        rows=image_rows(found, scores.matches, contested and contested[1])
        if found is not None and scores is not None else [],
        labels=data_charts(subject.train_data) if subject.train_data is not None else [],
        augmented=work.attempt("training images", lambda: _augmented(subject), []),
        timing=measure_time(lines),
        missing=work.missing,
    )  # fmt: skip


def _without_weights(path: Path) -> Checkpoint:
    return replace(load_checkpoint(path), weights={})


def _mark(best: Checkpoint | None, metric: str) -> Mark | None:
    if best is None or metric not in best.metrics:
        return None
    return Mark(best.step, f"best.pth: {metric} {best.metrics[metric]:.3f}")


def _status(folder: Path, record: RunRecord | None, step: int) -> Status:
    if is_running(folder):
        return "running"
    if has_report(folder):
        return "finished" if record is None or step >= record.steps else "stopped early"
    return "stopped"


def _same_images(data: Dataset, found: SavedEvaluation) -> Dataset:
    """Return the data set if it has the images of the evaluation in the same order.

    Raises:
        InputError: it has not.
    """
    ids = [data.ground_truth(i).image_id for i in range(len(data))]
    if ids != [gt.image_id for gt in found.gts]:
        raise InputError("the validation set is no longer that of the run")
    return data


def _objects_by_class(data: Dataset | None) -> Ints | None:
    if data is None:
        return None
    labels = [data.ground_truth(i).labels for i in range(len(data))]
    return np.bincount(np.concatenate(labels), minlength=len(data.class_names))


def _augmented(subject: Subject) -> list[AugmentedGroup]:
    exp, data, record = subject.exp, subject.train_data, subject.record
    if exp is None or data is None or record is None:
        return []
    return augmented_images(exp, data, record.batch_size, record.steps, record.epoch_steps)
