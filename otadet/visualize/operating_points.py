"""Precision, recall, F1 and confusion matrix as plots and CSV files."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otadet.atomic import Replace, atomic_path
from otadet.errors import InputError
from otadet.evaluation import Curve, OperatingCurves
from otadet.evaluation.operating_points import THRESHOLDS
from otadet.texts import csv_text
from otadet.visualize.confusion import draw_confusion, shown_name

_NAMED = 10
"""Number of classes with a colour and a name: those with the most objects. The best and worst ones
would be classes of one or two objects."""
_GREY = "0.82"


def require_matplotlib(option: str) -> None:
    """Check for matplotlib.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"{option}: expected matplotlib, which is not installed: pip install 'otadet[log]'"
        ) from error


PLOTS = (
    "thresholds.csv", "precision_recall.csv", "classes.csv", "confusion_matrix.csv",
    "precision_recall.png", "f1.png", "confusion_matrix.png",
)  # fmt: skip
"""Files of :func:`write_operating` and :func:`draw_operating`."""


def write_operating(
    found: OperatingCurves, folder: Path, through: Replace = atomic_path, guard: bool = True
) -> list[Path]:
    """Write the curves and the confusion matrix of all classes as CSV files.

    They are ``thresholds.csv`` (counts, precision, recall, F1 at scores 0, 0.01 ... 0.99),
    ``precision_recall.csv`` (largest precision at recalls 0, 0.01 ... 1), ``classes.csv`` (AP50 and
    the largest F1 with its score) and ``confusion_matrix.csv``.

    Args:
        found: the curves.
        folder: made where missing.
        through: how each file gets its name.
        guard: see :func:`~otadet.texts.csv_text`.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curves = (found.total, *found.classes)
    names = [*(csv_text(curve.name, guard) for curve in found.classes), "background"]
    every = (found.total.name, *names[:-1])

    def write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
        return _write(folder / name, header, rows, through)

    return [
        write(
            "thresholds.csv",
            ("class", "score", "tp", "fp", "fn", "precision", "recall", "f1"),
            (row for name, curve in zip(every, curves) for row in _threshold_rows(name, curve)),
        ),
        write(
            "precision_recall.csv",
            ("recall", *every),
            (
                (f"{i / 100:.2f}", *(f"{curve.precision_at_recall[i]:.6f}" for curve in curves))
                for i in range(101)
            ),
        ),
        write(
            "classes.csv",
            ("class", "objects", "AP50", "best_f1", "at_score"),
            (
                (name, c.objects, f"{c.ap50:.6f}", f"{c.best_f1:.6f}", f"{c.best_threshold:.6f}")
                for name, c in zip(every, curves)
            ),
        ),
        write(
            "confusion_matrix.csv",
            ("object / detection", *names),
            ((name, *row) for name, row in zip(names, found.confusion.tolist())),
        ),
    ]


def _threshold_rows(name: str, curve: Curve) -> Iterable[tuple[object, ...]]:
    columns = zip(
        THRESHOLDS.tolist(), curve.tp.tolist(), curve.fp.tolist(), curve.precision.tolist(),
        curve.recall.tolist(), curve.f1.tolist(),
    )  # fmt: skip
    for score, tp, fp, *shares in columns:
        counts = (tp, fp, curve.objects - tp)
        yield (name, f"{score:.2f}", *counts, *(f"{share:.6f}" for share in shares))


def _write(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], through: Replace
) -> Path:
    with (
        through(path, ".part", False) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def draw_operating(
    found: OperatingCurves, folder: Path, through: Replace = atomic_path
) -> list[Path]:
    """Draw ``precision_recall.png``, ``f1.png`` and ``confusion_matrix.png``.

    Of more than ten classes, the ten with the most objects have colours and names, the others are
    grey; a large confusion matrix shows the most confused classes.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Glyphs of a class name that matplotlib's font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        return [
            _draw_precision(found, folder / "precision_recall.png", through),
            _draw_f1(found, folder / "f1.png", through),
            draw_confusion(found, folder / "confusion_matrix.png", through),
        ]


def _draw_precision(found: OperatingCurves, path: Path, through: Replace) -> Path:
    figure, axes = _axes("recall", "precision")
    recall = np.arange(101) / 100
    for curve, style in _styled(found.classes, [curve.ap50 for curve in found.classes]):
        axes.plot(recall, curve.precision_at_recall, **_labelled(style, curve, curve.ap50))
    total = found.total
    if len(found.classes) > 1:
        label = f"{max(total.ap50, 0):.3f}  mean of classes"
        axes.plot(recall, total.precision_at_recall, color="black", linewidth=2.5, label=label)
    axes.set_title("Precision over recall at IoU 0.5")
    return _save(figure, axes, "AP50", path, through)


def _draw_f1(found: OperatingCurves, path: Path, through: Replace) -> Path:
    figure, axes = _axes("score threshold", "F1")
    for curve, style in _styled(found.classes, [curve.best_f1 for curve in found.classes]):
        axes.plot(THRESHOLDS, curve.f1, **_labelled(style, curve, curve.best_f1))
    total = found.total
    if len(found.classes) > 1:
        label = f"{total.best_f1:.3f}  all together"
        axes.plot(THRESHOLDS, total.f1, color="black", linewidth=2.5, label=label)
    if total.best_f1:
        axes.axvline(total.best_threshold, color="black", linestyle=":", linewidth=1)
        axes.annotate(
            f" {found.shown_threshold:.3f}", (total.best_threshold, 0.985), va="top", fontsize=9
        )
    axes.set_title("F1 over the score threshold at IoU 0.5")
    return _save(figure, axes, "largest F1", path, through)


def _axes(xlabel: str, ylabel: str) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1), ylim=(0, 1.005))
    axes.grid(alpha=0.3)
    return figure, axes


def _styled(
    curves: Sequence[Curve], values: Sequence[float]
) -> Iterable[tuple[Curve, dict[str, Any]]]:
    """Yield the classes with objects and the style of their lines.

    The grey ones come first, so that the others are drawn over them, those by falling value.
    """
    import matplotlib

    objects = np.array([curve.objects for curve in curves], np.int64)
    frequent = np.argsort(-objects, kind="stable")[:_NAMED].tolist()
    for index, curve in enumerate(curves):
        if curve.objects and index not in frequent:
            yield curve, {"color": _GREY, "linewidth": 0.6}
    colors = matplotlib.colormaps["tab10"]
    named = sorted((i for i in frequent if objects[i]), key=lambda i: -values[i])
    for place, index in enumerate(named):
        yield curves[index], {"color": colors(place), "linewidth": 1.5}


def _labelled(style: dict[str, Any], curve: Curve, value: float) -> dict[str, Any]:
    if style["color"] == _GREY:
        return style
    return {**style, "label": f"{value:.3f}  {shown_name(curve.name)}"}


def _save(figure: Any, axes: Any, title: str, path: Path, through: Replace) -> Path:
    if axes.lines:
        axes.legend(
            title=title, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False
        )
    with through(path, ".part.png", False) as part:
        figure.savefig(part, dpi=120)
    return path
