"""A comparison as one HTML page that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from otadet.compare.analysis import COMPARED
from otadet.compare.markdown import notes, title
from otadet.compare.result import Comparison, MethodResult, Pair
from otadet.compare.wording import DIFFERENCES, headline, how, spread, tables, verdict
from otadet.pages import Chart, Series, render_page

_TEMPLATE = Path(__file__).with_name("comparison.html.j2")
_TITLES = {
    "AP": ("AP on the validation set", "Mean and range over the seeds."),
    "loss": ("training loss", "Losses of different methods are not comparable."),
    "positives_per_object": ("positive points an object", ""),
}


class Strip(NamedTuple):
    """One row of a dot plot; places are shares of its width.

    Attributes:
        label: at its left.
        text: at its right.
        low, high: ends of its bar.
        middle: its mark.
        dots: single values.
        shown: whether it is emphasised.
    """

    label: str
    text: str
    low: float
    high: float
    middle: float
    dots: tuple[float, ...]
    shown: bool


class Strips(NamedTuple):
    """A dot plot: rows, and labelled places of its axis."""

    rows: list[Strip]
    ticks: list[tuple[float, str]]
    zero: float | None


def as_page(result: Comparison) -> str:
    """Write the page."""
    every = [each for each in tables(result) if each.rows]
    gaps = {metric: _gaps(result.pairs_of(metric)) for metric in COMPARED}
    return render_page(
        _TEMPLATE,
        title=title(result),
        headline=headline(result),
        notes=notes(result),
        scores=_scores(result),
        gaps={metric: each for metric, each in gaps.items() if each.rows},
        gap_tables=[each for each in every if each.title.startswith(DIFFERENCES)],
        tables=[each for each in every if not each.title.startswith(DIFFERENCES)],
        charts=_charts(result.methods),
        how=how(result),
        environment=result.environment,
    )


def _scores(result: Comparison) -> Strips:
    methods, winner = result.methods, result.winner("AP")
    spreads = [method.metrics["AP"] for method in methods]
    ends = [(each.mean - (each.deviation or 0), each.mean + (each.deviation or 0))
            for each in spreads]  # fmt: skip
    place, ticks = _axis([v for each, pair in zip(spreads, ends) for v in (*each.values, *pair)])
    rows = [
        Strip(method.label, spread(each), place(low), place(high), place(each.mean),
              tuple(place(value) for value in each.values), method.label == winner)
        for method, each, (low, high) in zip(methods, spreads, ends)
    ]  # fmt: skip
    return Strips(rows, ticks, None)


def _gaps(pairs: Sequence[Pair]) -> Strips:
    place, ticks = _axis([0.0, *(v for pair in pairs for v in (pair.low, pair.high))])
    rows = [
        Strip(f"{pair.one} − {pair.other}", verdict(pair), place(pair.low), place(pair.high),
              place(pair.mean), (), pair.ahead is not None) for pair in pairs
    ]  # fmt: skip
    return Strips(rows, ticks, place(0.0))


class _Axis(NamedTuple):
    low: float
    high: float

    def __call__(self, value: float) -> float:
        return round((value - self.low) / (self.high - self.low), 4)


def _axis(values: Sequence[float]) -> tuple[_Axis, list[tuple[float, str]]]:
    """A scale around values, with about five round places."""
    low, high = min(values), max(values)
    reach = max(high - low, 0.002)
    axis = _Axis(low - 0.06 * reach, high + 0.06 * reach)
    step = _round_step(reach / 6)
    first, last = math.ceil(axis.low / step), math.floor(axis.high / step)
    ticks = [number * step for number in range(first, last + 1)]
    digits = max(0, -math.floor(math.log10(100 * step)))
    return axis, [(axis(tick), f"{100 * tick:.{digits}f}") for tick in ticks]


def _round_step(wanted: float) -> float:
    """The next of 1, 2, 5, 10, 20..."""
    base = 10.0 ** math.floor(math.log10(wanted))
    return next(base * factor for factor in (1, 2, 5, 10) if base * factor >= 0.999 * wanted)


def _charts(methods: Sequence[MethodResult]) -> list[Chart]:
    charts = []
    for name, (heading, note) in _TITLES.items():
        series = [
            Series(method.label, curve.steps, curve.mean, color, smooth=name == "loss",
                   dots=name == "AP", low=curve.low, high=curve.high)
            for color, method in enumerate(methods) if (curve := method.curves.get(name))
        ]  # fmt: skip
        if any(len(each.x) > 1 for each in series):
            charts.append(Chart(heading, "step", series, "steps", note=note))
    return charts
