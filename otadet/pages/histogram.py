"""Histograms of a page, drawn by its template."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Bar(NamedTuple):
    """One bar of a histogram: height as a share of the tallest one, and its label."""

    height: float
    label: str


class Histogram(NamedTuple):
    """A histogram; without bars where all values are equal.

    Attributes:
        title: what is counted.
        bars: from left to right.
        tallest: count of the tallest bar.
        summary: min, median and max.
    """

    title: str
    bars: list[Bar]
    tallest: int
    summary: str


def histogram(
    values: npt.NDArray[np.float64], title: str, unit: str = "", log: bool = False
) -> Histogram | None:
    """Count ``values [M]`` in 24 bins, of equal factors where ``log``; ``None`` without values."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return Histogram(title, [], 0, f"{low:.3g} {unit} in all {len(values):,}")
    if log:
        low = max(low, 1e-3)
        edges = np.geomspace(low, max(high, low * 1.01), 25)
    else:
        whole = bool((values % 1 == 0).all()) and high - low < 24
        edges = np.arange(low - 0.5, high + 1.5) if whole else np.linspace(low, high + 1e-9, 25)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].tolist()
    tallest = max(counts)
    bars = [
        Bar(count / tallest, f"{left:.3g} to {right:.3g} {unit}: {count:,}")
        for count, left, right in zip(counts, edges[:-1], edges[1:])
    ]
    middle = float(np.median(values))
    return Histogram(
        title, bars, tallest, f"min {low:.3g}, median {middle:.3g}, max {high:.3g} {unit}"
    )
