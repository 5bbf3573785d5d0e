"""What an evaluation found, and how it reads in a log."""

from __future__ import annotations

from dataclasses import dataclass

from tabulate import tabulate

METRIC_NAMES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""The twelve COCO numbers, in COCO's order."""


@dataclass(frozen=True)
class ClassResult:
    """The numbers of one class.

    Attributes:
        name: the class.
        AP: mean over IoU 0.50 to 0.95; -1 where the truth has no such object.
        AP50: at IoU 0.50; -1 likewise.
        truth: number of objects, ignore regions not counted.
        detections: number of detections.
    """

    name: str
    AP: float
    AP50: float
    truth: int
    detections: int


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation; plain numbers and strings, so it goes into JSON as it is.

    Attributes:
        metrics: number by name, 0 to 1. As with COCO, -1 means undefined: there is no object of
            that size at all. Never NaN.
        per_class: one entry a class, in the order of class indices.
        notes: what is odd and worth reading, one sentence each.
    """

    metrics: dict[str, float]
    per_class: tuple[ClassResult, ...]
    notes: tuple[str, ...] = ()


def format_table(evaluation: Evaluation) -> str:
    """The numbers in a row, a table by class, and the notes; ``-`` for what is undefined."""
    names = list(evaluation.metrics)
    parts = [tabulate([[_cell(v) for v in evaluation.metrics.values()]], headers=names)]
    rows = [
        [c.name, _cell(c.AP), _cell(c.AP50), c.truth, c.detections] for c in evaluation.per_class
    ]
    headers = ["class", "AP", "AP50", "objects", "detections"]
    parts.append(
        tabulate(rows, headers=headers, disable_numparse=True,
                 colalign=("left", "right", "right", "right", "right")) if rows else ""
    )  # fmt: skip
    parts.append("\n".join(f"note: {note}" for note in evaluation.notes))
    return "\n\n".join(part for part in parts if part)


def _cell(value: float) -> str:
    return "-" if value < 0 else f"{value:.3f}"
