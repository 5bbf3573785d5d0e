"""What the best weights detect on the validation set, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otadet.evaluation import (
    ErrorKind,
    ImageMatches,
    OperatingCurves,
    SavedEvaluation,
    SizeBin,
    ap_by_size,
    build_evaluator,
    error_kinds,
    operating_points,
)
from otadet.evaluation.flat import Floats, Ints
from otadet.evaluation.operating_points import THRESHOLDS
from otadet.pages import Chart, Mark, Series
from otadet.texts import one_line
from otadet.visualize.confusion import trimmed

_NAMED = 7
"""Classes with a curve of their own beside that of all: those with the most objects."""


@dataclass(frozen=True)
class ClassRow:
    """Metrics of one class.

    Attributes:
        name: of the class.
        train: objects of the training set; ``None`` where it could not be read.
        objects: of the validation set.
        AP, AP50: COCO's; -1 without objects.
        precision, recall, f1: from the score threshold of all classes on.
        best_score: score threshold of the class's largest F1.
        best_f1: that F1.
    """

    name: str
    train: int | None
    objects: int
    AP: float
    AP50: float
    precision: float
    recall: float
    f1: float
    best_score: float
    best_f1: float


@dataclass(frozen=True, eq=False)
class Confusion:
    """Confusion matrix, see :attr:`~otadet.evaluation.OperatingCurves.confusion`.

    Attributes:
        names: of rows and columns, the last one is the background.
        counts: ``[C + 1, C + 1]``.
        shares: of the row; in the last row of the column.
    """

    names: list[str]
    counts: Ints
    shares: Floats


@dataclass(frozen=True, eq=False)
class Scores:
    """Numbers of an evaluation.

    Attributes:
        metrics: COCO's.
        score: threshold of the largest F1.
        f1, precision, recall: at that threshold, all classes together.
        classes: by class.
        charts: precision over recall, and what a threshold does.
        confusion: at that threshold.
        errors: by kind.
        sizes: bins with objects.
        matches: by image.
        notes: diagnostics.
    """

    metrics: dict[str, float]
    score: float
    f1: float
    precision: float
    recall: float
    classes: list[ClassRow]
    charts: list[Chart]
    confusion: Confusion
    errors: tuple[ErrorKind, ...]
    sizes: list[SizeBin]
    matches: ImageMatches
    notes: tuple[str, ...]


def compute_scores(found: SavedEvaluation, cap: int, train: Ints | None) -> Scores:
    """Compute everything from detections and ground truth.

    Args:
        found: of the validation set.
        cap: detections of an image and class that count for COCO's metrics.
        train: ``[C]`` objects of the training set by class.
    """
    data = (found.gts, len(found.class_names), found.detections)
    evaluator = build_evaluator(found.gts, found.class_names, ("coco",), cap)
    evaluator.merge([found.detections])
    evaluation = evaluator.compute()
    curves = operating_points(found.gts, found.class_names, found.detections)
    score = curves.shown_threshold
    precision, recall, f1 = _at(curves.confusion[:-1, :-1].trace(), curves.confusion)
    return Scores(
        metrics=evaluation.metrics,
        score=score,
        f1=f1,
        precision=precision,
        recall=recall,
        classes=[
            ClassRow(
                c.name, None if train is None else int(train[i]), c.objects, c.AP, c.AP50,
                *_of_class(curves, i), curves.classes[i].best_threshold, curves.classes[i].best_f1,
            )
            for i, c in enumerate(evaluation.per_class)
        ],
        charts=_charts(curves),
        confusion=_confusion(curves),
        errors=error_kinds(*data, curves.threshold),
        sizes=[each for each in ap_by_size(*data) if each.objects],
        matches=ImageMatches.of(*data, curves.threshold),
        notes=evaluation.notes,
    )  # fmt: skip


def _at(hits: int, confusion: Ints) -> tuple[float, float, float]:
    """Precision, recall and F1 of all classes together."""
    return _shares(int(hits), int(confusion[:, :-1].sum()), int(confusion[:-1].sum()))


def _of_class(curves: OperatingCurves, index: int) -> tuple[float, float, float]:
    matrix = curves.confusion
    return _shares(int(matrix[index, index]), int(matrix[:, index].sum()), int(matrix[index].sum()))


def _shares(hits: int, detections: int, objects: int) -> tuple[float, float, float]:
    f1 = 2 * hits / max(detections + objects, 1)
    return hits / max(detections, 1), hits / max(objects, 1), f1


def _confusion(curves: OperatingCurves) -> Confusion:
    counts, names = trimmed(curves.confusion, [curve.name for curve in curves.classes])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares[-1] = counts[-1] / np.maximum(counts.sum(axis=0), 1)
    return Confusion(names, counts, shares)


def _charts(curves: OperatingCurves) -> list[Chart]:
    """Precision over recall, precision, recall and F1 over the score, and F1 by class."""
    frequent = sorted(curves.classes, key=lambda c: -c.objects)[:_NAMED]
    named = [c for c in frequent if c.objects] if len(curves.classes) > 1 else []
    left = len([c for c in curves.classes if c.objects]) - len(named) if named else 0
    note = f"{left} more classes have no curve here" if left else ""
    total, scores = curves.total, THRESHOLDS.tolist()
    best = (Mark(curves.threshold, f"largest F1 {total.best_f1:.3f}"),) if total.best_f1 else ()
    rates = [("precision", total.precision), ("recall", total.recall), ("F1", total.f1)]
    return [
        Chart(
            title="precision over recall (IoU 0.5)", x_name="recall", y_max=1, last=False,
            note=note, series=_series(
                (np.arange(101) / 100).tolist(),
                [(c.name, c.precision_at_recall) for c in (total, *named)],
            ),
        ),
        Chart(
            title="what a score threshold does", x_name="score threshold", group="score", y_max=1,
            last=False, marks=best, series=_series(scores, rates),
        ),
        Chart(
            title="F1 by class", x_name="score threshold", group="score", y_max=1, last=False,
            note=note, series=_series(scores, [(c.name, c.f1) for c in (total, *named)]),
        ),
    ]  # fmt: skip


def _series(x: list[float], curves: list[tuple[str, Floats]]) -> list[Series]:
    return [Series(one_line(name), x, y.tolist(), color) for color, (name, y) in enumerate(curves)]
