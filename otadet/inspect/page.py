"""The inspection as one HTML file that loads nothing."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from otadet.atomic import atomic_write
from otadet.data.findings import counted
from otadet.inspect.payload import image_payload
from otadet.inspect.values import Inspection
from otadet.pages import render_page

_TEMPLATE = Path(__file__).parent / "page.html.j2"

COLUMNS = (
    ("positives", "positives", "points that were given to an object"),
    ("without_point", "without a point", "objects that ended with none"),
    ("uncovered", "outside the prior", "objects for which the prior found no point; some assigners "
     "then give them the closest one"),
    ("ambiguous", "contested", "points that several objects claim, or share with each other or "
     "with the background"),
    ("ignored", "left out", "points without a loss"),
    ("gap", "gap", "cost above the exact optimum for the same supplies; negative where fewer "
     "points were handed out than asked for; empty for rules and where it takes long"),
    ("marginal_error", "marginal error", "largest difference of points received and supply"),
    ("milliseconds", "ms", "time of a call on one image, the median of three"),
)  # fmt: skip
"""Columns of the table of totals: field of ``Totals``, heading, meaning."""

_RARE = "ignored"
"""The column that is left out where it is 0 throughout."""


def page_file(place: Path) -> Path:
    """Return ``place`` itself where it names an HTML file, else the page's file in that folder."""
    return place if place.suffix.lower() in (".html", ".htm") else place / "index.html"


def write_page(inspection: Inspection, place: Path) -> Path:
    """Write the page to :func:`page_file`, its folder made where missing; returns the path."""
    path = page_file(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, render_inspection(inspection))
    return path


def render_inspection(inspection: Inspection) -> str:
    """Render the page of at least one image."""
    first = inspection.images[0]
    snapshots = [snapshot.label for snapshot in first.snapshots]
    names = [view.name for view in first.snapshots[0].views]
    entries = [image_payload(image) for image in inspection.images]
    return render_page(
        _TEMPLATE,
        title=inspection.title,
        about=_about(inspection),
        columns=_columns(inspection),
        sums=_sums(inspection),
        images=[{"name": e["name"], "about": _objects(e)} for e in entries],
        snapshots=snapshots,
        strides=first.strides,
        assigners=names,
        data={
            "images": [
                {k: v for k, v in e.items() if k not in ("objects", "bare")} for e in entries
            ],
            "assigners": names,
            "snapshots": snapshots,
            "strides": first.strides,
            "classes": inspection.class_names,
        },
    )


def _columns(inspection: Inspection) -> list[tuple[str, str, str]]:
    found = any(
        view.totals.ignored
        for image in inspection.images
        for snapshot in image.snapshots
        for view in snapshot.views
    )
    return [column for column in COLUMNS if found or column[0] != _RARE]


def _about(inspection: Inspection) -> str:
    count, objects = len(inspection.images), sum(len(image.boxes) for image in inspection.images)
    own = [view.name for view in inspection.images[0].snapshots[0].views if view.own]
    order = ", the worst first" if count > 1 else ""
    trained = f"; {own[0]} is the experiment's assigner" if own else ""
    return f"{counted(count, 'image')}{order}, {counted(objects)}{trained}"


def _objects(entry: dict[str, Any]) -> str:
    bare = f", {entry['bare']} without" if entry["bare"] else ""
    return counted(entry["objects"]) + bare


def _sums(inspection: Inspection) -> list[tuple[str, list[str]]]:
    """Rows of the table of all images, under the last network."""
    rows: list[tuple[str, list[str]]] = []
    columns = _columns(inspection)
    last = [image.snapshots[-1].views for image in inspection.images]
    for views in zip(*last):
        totals = [view.totals for view in views]
        values = {key: [getattr(t, key) for t in totals] for key, _, _ in columns}
        rows.append((views[0].name, [_total(key, column) for key, column in values.items()]))
    return rows


def _total(key: str, values: list[float | None]) -> str:
    """Sum, largest or median of a column as text; empty where an image has no value."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ""
    if key == "marginal_error":
        value = max(known)
    else:
        value = median(known) if key == "milliseconds" else sum(known)
    return f"{value:,}" if isinstance(value, int) else _short(value)


def _short(value: float) -> str:
    """Three digits, or all before the point: ``0.14``, ``12.5``, ``-5,913``."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
