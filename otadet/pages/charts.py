"""Curves of a page, drawn by ``charts.js``: hover, zoom and smoothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

_LONGEST = 1000
"""Points of a series; a longer one is averaged in bins, with the range of each as its band."""

Values = Sequence[float]


class Mark(NamedTuple):
    """A vertical line across a chart, with its label."""

    x: float
    label: str


@dataclass(frozen=True)
class Series:
    """One curve of a chart.

    Attributes:
        name: in the legend.
        x: increasing.
        y: as many; a value that is not finite is a gap.
        color: number of a colour of the palette (``style.css``, ``--c0`` to ``--c7``).
        dashed: draw it dashed: for the second of two related curves.
        dots: a dot for each point, where there are few.
        smooth: whether the page's smoothing applies.
        low, high: edges of a band around the curve, as many as ``y``.
    """

    name: str
    x: Values
    y: Values
    color: int = 0
    dashed: bool = False
    dots: bool = False
    smooth: bool = False
    low: Values | None = None
    high: Values | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, of at most :data:`_LONGEST` points."""
        series = _shortened(self) if len(self.x) > _LONGEST else self
        values: dict[str, Any] = {
            "name": self.name,
            "color": self.color % 8,
            "dashed": self.dashed,
            "dots": self.dots,
            "smooth": self.smooth,
            "x": _rounded(series.x, 9),
            "y": _rounded(series.y),
        }
        if series.low is not None and series.high is not None:
            values |= {"low": _rounded(series.low), "high": _rounded(series.high)}
        return values


@dataclass(frozen=True)
class Chart:
    """A chart of one quantity.

    Attributes:
        title: what is drawn, with its unit.
        x_name: of the horizontal axis.
        series: its curves.
        group: charts of one group share cursor and zoom.
        marks: vertical lines.
        y_max: upper end of the vertical axis where it has a natural one, as 1 for shares.
        note: text below.
        last: show the last values where nothing is pointed at; they say little of curves that are
            not over time.
    """

    title: str
    x_name: str
    series: Sequence[Series]
    group: str = ""
    marks: Sequence[Mark] = ()
    y_max: float | None = None
    note: str = ""
    last: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "title": self.title,
            "xName": self.x_name,
            "group": self.group,
            "series": [each.as_dict() for each in self.series],
            "marks": [mark._asdict() for mark in self.marks],
            "yMax": self.y_max,
            "last": self.last,
        }


def _shortened(series: Series) -> Series:
    """Average a long series in bins of equal numbers of points."""
    bins = np.array_split(np.arange(len(series.x)), _LONGEST)
    x, y = np.asarray(series.x, float), np.asarray(series.y, float)
    y[~np.isfinite(y)] = np.nan
    filled = [b for b in bins if not np.isnan(y[b]).all()]
    low, high = (
        y if edge is None else np.asarray(edge, float) for edge in (series.low, series.high)
    )
    return Series(
        series.name,
        [float(x[b].mean()) for b in filled],
        [float(np.nanmean(y[b])) for b in filled],
        low=[float(np.nanmin(low[b])) for b in filled],
        high=[float(np.nanmax(high[b])) for b in filled],
    )


def _rounded(values: Values, digits: int = 5) -> list[float | None]:
    """Round to significant digits, more than a screen has; what is not finite is null."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values]
