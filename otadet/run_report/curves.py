"""Curves of a run: losses, metrics, learning rate, assignment, speed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from otadet.pages import Chart, Mark, Series
from otadet.run_report.metric_lines import Line, MetricLines

GROUP = "steps"
"""Charts over the steps share cursor, zoom and smoothing."""

_ASSIGNMENT = {
    "positives_per_object": "positive points an object",
    "positives": "positive points a step",
    "uncovered": "objects without a candidate, an image",
    "ambiguous": "ambiguous points, an image",
    "marginal_error": "marginal error of the plan, points",
}
_METRICS = {
    "AP": ("AP", "AP50", "AP75"),
    "AP by size": ("APs", "APm", "APl"),
    "recall by detections an image": ("AR1", "AR10", "AR100"),
    "recall by size": ("ARs", "ARm", "ARl"),
}
_COURSE = {
    "grad_norm": "norm of the gradient",
    "images_per_second": "images a second",
    "data_wait": "share of time waiting for data",
    "peak_memory_mib": "peak memory so far, MiB",
    "eval_seconds": "seconds of an evaluation",
    "objects_cut_away": "objects cut away by augmentation, an image",
    "steps_left_out": "steps left out, since the line before",
}


class ChartGroup(NamedTuple):
    """Charts under one heading; ``zero`` names what is zero throughout and has no chart."""

    title: str
    charts: list[Chart]
    zero: list[str]


def curves(lines: MetricLines, best: Mark | None) -> list[ChartGroup]:
    """Make the charts of everything that was logged; those without a value are left out.

    Args:
        lines: of the run.
        best: step of ``best.pth``, marked in the charts of metrics.
    """
    names, terms = _names(lines.train), lines.loss_terms
    rates = [n for n in names if n == "lr" or n.startswith("lr_group_")]
    drawn = {"step", "loss", "seconds", *terms, *rates, *_ASSIGNMENT, *_COURSE}
    first = [
        _losses(lines, "loss", ["loss"]),
        _losses(lines, "terms of the loss", terms) if len(terms) > 1 else None,
        *_metrics(lines, best),
        _chart("learning rate", rates, lines.train, smooth=False),
    ]
    assignment = {**_ASSIGNMENT, **{n: n for n in names if n not in drawn}}
    return [
        group
        for group in (
            ChartGroup("Loss and metrics", [c for c in first if c], []),
            _each("Assignment", assignment, lines.train),
            _each("Course", _COURSE, [*lines.train, *lines.val]),
        )
        if group.charts
    ]


def _each(title: str, names: Mapping[str, str], lines: list[Line]) -> ChartGroup:
    """A chart for each number, under its text in ``names``."""
    zero = [n for n in names if {line[n] for line in lines if n in line} == {0}]
    charts = [_chart(text, [n], lines) for n, text in names.items() if n not in zero]
    return ChartGroup(title, [c for c in charts if c], [names[n] for n in zero])


def _names(lines: Iterable[Line]) -> list[str]:
    return list(dict.fromkeys(name for line in lines for name in line))


def _chart(
    title: str, names: Iterable[str], lines: list[Line], *, marks: tuple[Mark, ...] = (),
    y_max: float | None = None, smooth: bool = True, dots: bool = False,
) -> Chart | None:  # fmt: skip
    series = [
        Series(name, *values, color=place, dots=dots, smooth=smooth)
        for place, name in enumerate(names)
        if (values := _values(lines, name))[0]
    ]
    return Chart(title, "step", series, GROUP, marks, y_max) if series else None


def _values(lines: list[Line], name: str) -> tuple[list[float], list[float]]:
    """Steps and values; a metric of -1 is undefined and a gap."""
    known = [line for line in lines if name in line]
    values = [line[name] if line[name] != -1 else float("nan") for line in known]
    return [line["step"] for line in known], values


def _losses(lines: MetricLines, title: str, names: list[str]) -> Chart | None:
    """Training and validation in one colour, the validation dashed."""
    series: list[Series] = []
    for color, name in enumerate(names):
        series.append(Series(name, *_values(lines.train, name), color=color, smooth=True))
        validation = _values(lines.val, name)
        if validation[0]:
            series.append(
                Series(f"{name}, validation", *validation, color=color, dashed=True, dots=True)
            )
    series = [each for each in series if each.x]
    return Chart(title, "step", series, GROUP) if series else None


def _metrics(lines: MetricLines, best: Mark | None) -> list[Chart | None]:
    marks = (best,) if best else ()
    groups: dict[str, tuple[str, ...]] = dict(_METRICS)
    drawn = {"step", "eval_seconds", "loss", *lines.loss_terms, *sum(_METRICS.values(), ())}
    groups |= {name: (name,) for name in _names(lines.val) if name not in drawn}
    return [
        _chart(
            title, names, lines.val, marks=marks,
            y_max=1 if all(line.get(n, 0) <= 1 for line in lines.val for n in names) else None,
            smooth=False, dots=True,
        )
        for title, names in groups.items()
    ]  # fmt: skip
