"""Histograms as SVG, without a library that a page would have to load."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from otadet.data.annotation_table import Floats

_WIDTH, _HEIGHT, _FOOT, _HEAD = 420, 170, 34, 16


def histogram(values: Floats, title: str, unit: str, log: bool = False) -> str:
    """Counts of ``values [M]`` in 24 bins, of equal factors where ``log``; the ends are named."""
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        text = f"{low:.3g} {unit} in all {len(values):,}"
        return f"<figure><figcaption>{escape(title)}</figcaption><p>{escape(text)}</p></figure>"
    if log:
        low = max(low, 1e-3)
        edges = np.geomspace(low, max(high, low * 1.01), 25)
    else:
        whole = bool((values % 1 == 0).all()) and high - low < 24
        edges = np.arange(low - 0.5, high + 1.5) if whole else np.linspace(low, high + 1e-9, 25)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    step = _WIDTH / len(counts)
    most = counts.max()
    bars = [
        f'<rect x="{i * step:.1f}" y="{_HEAD + (1 - n / most) * _plot():.1f}" '
        f'width="{max(step - 1.5, 1):.1f}" height="{n / most * _plot():.1f}">'
        f"<title>{_range(edges[i], edges[i + 1])} {unit}: {n:,}</title></rect>"
        for i, n in enumerate(counts.tolist())
    ]
    median = float(np.median(values))
    foot = f"min {low:.3g}, median {median:.3g}, max {high:.3g} {unit}"
    return _figure(title, "".join(bars), foot, f"tallest bar: {most:,}")


def _range(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"


def _plot() -> int:
    return _HEIGHT - _FOOT - _HEAD


def _figure(title: str, marks: str, foot: str, head: str) -> str:
    base = _HEIGHT - _FOOT
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<g class="bars">{marks}</g><path d="M0 {base}.5H{_WIDTH}"/>'
        f'<text x="{_WIDTH}" y="11" text-anchor="end">{escape(head)}</text>'
        f'<text x="0" y="{base + 18}">{escape(foot)}</text></svg></figure>'
    )


def bars(names: Sequence[str], counts: Sequence[int], title: str) -> str:
    """One bar a name, the largest first, at most 30."""
    order = sorted(range(len(names)), key=lambda i: -counts[i])
    most = max([*counts, 1])
    rows = "".join(
        f"<tr><th>{escape(names[i])}</th><td><span style='width:{100 * counts[i] / most:.1f}%'>"
        f"</span></td><td>{counts[i]:,}</td></tr>"
        for i in order[:30]
    )
    more = f"<p>and {len(names) - 30} more classes</p>" if len(names) > 30 else ""
    caption = f"<figcaption>{escape(title)}</figcaption>"
    return f"<figure>{caption}<table class='balance'>{rows}</table>{more}</figure>"
