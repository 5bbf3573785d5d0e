"""Plot of a confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otadet.atomic import Replace, atomic_path
from otadet.evaluation import OperatingCurves
from otadet.evaluation.flat import Ints
from otadet.texts import one_line

_LARGEST = 24
"""Largest number of classes; of more the most confused are shown, the others are summed."""


def trimmed(matrix: Ints, names: list[str], largest: int = _LARGEST) -> tuple[Ints, list[str]]:
    """Reduce the matrix to ``largest`` classes, the sum of the others, and the background.

    Classes are chosen by their number of confusions, then by their number of objects, and keep
    their order. Sums do not change.

    Args:
        matrix: ``[C + 1, C + 1]``, see :attr:`~otadet.evaluation.OperatingCurves.confusion`.
        names: ``C``.
        largest: number of classes.
    """
    count = len(names)
    if count <= largest:
        return matrix, [*names, "background"]
    mixed = matrix[:count, :count] * ~np.eye(count, dtype=bool)
    rank = np.lexsort((-matrix[:count].sum(axis=1), -(mixed.sum(axis=0) + mixed.sum(axis=1))))
    kept = np.sort(rank[:largest])
    group = np.full(count + 1, largest)  # the others
    group[kept] = np.arange(largest)
    group[count] = largest + 1
    smaller = np.zeros((largest + 2, largest + 2), np.int64)
    np.add.at(smaller, (group[:, None], group[None, :]), matrix)
    others = f"{count - largest} other classes"
    return smaller, [*(names[i] for i in kept.tolist()), others, "background"]


def shown_name(name: str, longest: int = 24) -> str:
    """Shorten a class name to one line, and escape ``$``, which starts a formula in matplotlib."""
    cut = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return one_line(cut).replace("$", r"\$")


def draw_confusion(found: OperatingCurves, path: Path, through: Replace = atomic_path) -> Path:
    """Plot objects in rows, detections in columns, with counts.

    Colour is the share of the row (the objects of a class), in the last row that of the column (the
    detections of a class).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matrix, names = trimmed(found.confusion, [curve.name for curve in found.classes])
    size = len(names)
    side = max(4.6, 1.6 + 0.42 * size)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    share[-1] = matrix[-1] / np.maximum(matrix.sum(axis=0), 1)
    heat = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(heat, ax=axes, label="share of the row; last row: of the column", shrink=0.8)
    _write_counts(axes, matrix, share)
    labels = [shown_name(name, 18) for name in names]
    upright = size > 4 or max(map(len, labels)) > 10
    axes.set_xticks(range(size), labels, rotation=90 if upright else 0, fontsize=8)
    axes.set_yticks(range(size), labels, fontsize=8)
    axes.set(xlabel="detected as (background: missed)", ylabel="object (background: nothing there)")
    axes.set_title(f"Score {found.shown_threshold:.3f} and above, IoU 0.5", fontsize=10)
    with through(path, ".part.png", False) as part:
        figure.savefig(part, dpi=120)
    return path


def _write_counts(axes: Any, matrix: Ints, share: Any) -> None:
    for row, column in np.argwhere(matrix > 0).tolist():
        count = int(matrix[row, column])
        text = str(count) if count < 10_000 else f"{count / 1000:.0f}k"
        color = "white" if share[row, column] > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
