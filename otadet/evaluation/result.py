"""Result of an evaluation, and its text for a log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from otadet.texts import one_line

METRIC_NAMES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""COCO's twelve metrics, in COCO's order."""

_IN_A_ROW, _COLUMNS = 6, 78
"""Metrics in a row, as far as a terminal holds them: COCO has six of precision, six of recall."""


@dataclass(frozen=True)
class ClassResult:
    """COCO's metrics of one class.

    Attributes:
        name: the class.
        AP: mean over IoU 0.50 to 0.95; -1 where there is no such object.
        AP50: at IoU 0.50; -1 likewise.
        objects: number of objects, ignore regions not counted.
        detections: number of detections.
    """

    name: str
    AP: float
    AP50: float
    objects: int
    detections: int


@dataclass(frozen=True)
class Table:
    """A table of formatted numbers.

    Attributes:
        title: of the table.
        headers: one by column; the first column is text, the others numbers.
        rows: cells, one by header.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class OperatingPoint:
    """Score threshold of the largest F1 at an IoU of 0.5, all classes together.

    Attributes:
        score: a detection counts from this score on; in [0, 1], rounded down to three digits,
            since rounded up it would lose the last detection.
        f1: the largest F1, in (0, 1].

    Raises:
        ValueError: a number is outside its range or NaN.
    """

    score: float
    f1: float

    def __post_init__(self) -> None:
        if not (0 <= self.score <= 1 and 0 < self.f1 <= 1):
            raise ValueError(
                "operating point: expected a score from 0 to 1 and an F1 above 0 and up to 1, got "
                f"{self.score} and {self.f1}"
            )

    @staticmethod
    def at(score: float, f1: float) -> OperatingPoint | None:
        """Make the operating point of an exact threshold; ``None`` where F1 is 0."""
        return OperatingPoint(cut(score), f1) if f1 else None

    def __str__(self) -> str:
        return f"score threshold {self.score:.3f}: largest F1 {self.f1:.3f} on the validation set"


def cut(score: float) -> float:
    """Round a score threshold down to three digits."""
    return math.floor(score * 1000) / 1000


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation; plain numbers and strings, ready for JSON.

    Attributes:
        metrics: value by name, 0 to 1. As with COCO, -1 means undefined: there is no object of
            that size. Never NaN.
        per_class: COCO's metrics by class, in the order of class indices; empty where COCO's
            metrics are not computed.
        notes: diagnostics, one sentence each.
        tables: of measures other than COCO's.
        operating_point: the best score threshold; ``None`` where no detection is matched, or the
            evaluator does not compute it.
    """

    metrics: dict[str, float]
    per_class: tuple[ClassResult, ...]
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    operating_point: OperatingPoint | None = None


def headline(metrics: Mapping[str, float], best_metric: str) -> str:
    """Format those of AP, AP50 and ``best_metric`` that are known as one line."""
    names = dict.fromkeys(("AP", "AP50", best_metric))
    return "  ".join(f"{name} {metrics[name]:.3f}" for name in names if name in metrics)


def mean_defined(values: Sequence[float]) -> float:
    """Return the mean of the defined values (not -1); -1 without any."""
    defined = [value for value in values if value >= 0]
    return sum(defined) / len(defined) if defined else -1.0


def format_table(evaluation: Evaluation) -> str:
    """Format the metrics, the table by class, and the notes; ``-`` for undefined values."""
    parts = [_in_rows(evaluation.metrics)]
    rows = [
        [one_line(c.name), cell(c.AP), cell(c.AP50), c.objects, c.detections]
        for c in evaluation.per_class
    ]
    headers = ["class", "AP", "AP50", "objects", "detections"]
    parts.append(
        tabulate(rows, headers=headers, disable_numparse=True,
                 colalign=("left", "right", "right", "right", "right")) if rows else ""
    )  # fmt: skip
    for table in evaluation.tables:
        align = ("left", *["right"] * (len(table.headers) - 1))
        rows_of = tabulate(table.rows, headers=table.headers, disable_numparse=True, colalign=align)
        parts.append(f"{table.title}\n{rows_of}")
    parts.append("\n".join(f"note: {note}" for note in evaluation.notes))
    return "\n\n".join(part for part in parts if part)


def _in_rows(metrics: Mapping[str, float]) -> str:
    """Names above values."""
    rows: list[list[tuple[str, str]]] = [[]]
    for name, value in metrics.items():
        width = max(len(name), 5)
        column = (f"{name:>{width}}", f"{cell(value):>{width}}")
        used = sum(len(each) + 2 for each, _ in rows[-1])
        if len(rows[-1]) == _IN_A_ROW or used + width > _COLUMNS:
            rows.append([])
        rows[-1].append(column)
    return "\n".join("  ".join(line) for row in rows for line in zip(*row))


def cell(value: float) -> str:
    """Format a number for a table; ``-`` where it is undefined."""
    return "-" if value < 0 else f"{value:.3f}"
