"""Plot of a run's curves, from its ``metrics.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

METRICS = ("AP", "AP50", "AP75", "MR", "JI", "VOC07AP", "VOC10AP")
"""Metrics that are drawn where they are computed, besides the run's ``best_metric``."""


def draw_curves(
    metrics: Path, output: Path, terms: Iterable[str] = (), best_metric: str = "AP"
) -> bool:
    """Draw loss terms, AP and the assigner's counts over the steps as one PNG.

    Args:
        metrics: ``metrics.jsonl`` of a run.
        terms: names of the loss terms; those with a value on the validation set are known anyway.
        best_metric: the metric that a run goes by.
        output: the image to write.

    Returns:
        Whether it was written; it is not where matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    train = [line for line in lines if line["kind"] == "train"]
    val = [line for line in lines if line["kind"] == "val"]
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    loss, ap, points = figure.subplots(1, 3)
    common = {key for line in val for key in line} - {"step", "kind"}
    found = (key for line in train for key in line if key in common)
    for name in dict.fromkeys(["loss", *terms, *found]):
        _plot(loss, train, name, name)
        if loss.lines and loss.lines[-1].get_label() == name:
            color = loss.lines[-1].get_color()
            style = {"marker": "o", "linestyle": "--", "color": color}
            _plot(loss, val, name, f"{name}, validation", **style)
    loss.set(title="loss", ylim=(0, None))
    for name in dict.fromkeys([*METRICS, best_metric]):
        _plot(ap, val, name, name, marker="o")
    highest = max((float(y) for drawn in ap.lines for y in drawn.get_ydata()), default=1.0)
    ap.set(title="validation", ylim=(0, 1 if highest <= 1 else None))
    _plot(points, train, "positives_per_object", "positive points an object")
    _plot(points, train, "uncovered", "objects without a candidate, an image")
    _plot(points, train, "ambiguous", "ambiguous points, an image")
    points.set(title="assignment", ylim=(0, None))
    for axes in (loss, ap, points):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    figure.savefig(output, dpi=110)
    return True


def _plot(axes: Any, lines: list[dict[str, Any]], key: str, label: str, **style: str) -> None:
    rows = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
    if rows:
        axes.plot(*zip(*rows), label=label, linewidth=1.5, **style)
