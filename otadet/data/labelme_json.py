"""One JSON file of labelme or X-AnyLabeling: shapes of points, each taken as the box around it.

https://github.com/wkentaro/labelme, https://github.com/CVHub520/X-AnyLabeling
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otadet.data.text_file import read_json, shown
from otadet.errors import InputError

_LARGEST = 1e9
_NO_BOX = (math.nan,) * 4

NOT_AREAS = frozenset({"point", "points", "line", "linestrip"})
"""Types of shapes that enclose nothing."""

_POINTS: dict[str, frozenset[int]] = {
    "rectangle": frozenset({2, 4}), "mask": frozenset({2, 4}), "circle": frozenset({2}),
}  # fmt: skip
"""Number of points of a shape; any from 3 on for the polygons."""

_POLYGONS = frozenset({"polygon", "rotation", "oriented_rectangle", "quadrilateral", "cuboid"})

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shape:
    """An area of a file.

    Attributes:
        number: its place in the file, from 1.
        label: as it stands there, any JSON value.
        box: xyxy pixels, not cut; NaN where the points are no area.
        got: the points, where they are no area; else empty.
        difficult: X-AnyLabeling's mark.
    """

    number: int
    label: object
    box: Box
    got: str
    difficult: bool


@dataclass(frozen=True)
class LabelmeFile:
    """What one file says.

    Attributes:
        image: ``imagePath``, ``imageHeight`` and ``imageWidth`` as they stand there.
        shapes: the areas, in the file's order.
        left_out: number and type of the shapes that are points and lines.
        faults: what is not as labelme has it: where, and what was found.
        encoding: of the text.
        other: JSON of something else.
    """

    image: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    encoding: str = ""
    other: bool = False

    @property
    def image_path(self) -> str:
        """Path of the image with ``/``; empty where it states none."""
        path = self.image.get("imagePath")
        return path.replace("\\", "/") if isinstance(path, str) else ""


def read_labelme_json(path: Path) -> LabelmeFile:
    """Read one file; the image that may be embedded in it is dropped.

    What is wrong with it is in its ``faults``.
    """
    try:
        document, encoding = read_json(path)
    except InputError as error:
        return LabelmeFile(faults=(("", str(error).removeprefix(f"{path}: ")),))
    rows = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return LabelmeFile(faults=(("", "expected an object with a list 'shapes'"),), other=True)
    shapes: list[Shape] = []
    left_out: list[tuple[int, str]] = []
    faults: list[tuple[str, str]] = []
    for number, row in enumerate(rows, 1):
        kind = str(row.get("shape_type") or "polygon") if isinstance(row, dict) else ""
        if kind in NOT_AREAS:
            left_out.append((number, kind))
        elif kind in _POINTS or kind in _POLYGONS:
            shapes.append(_shape(number, kind, row))
        else:
            known = f"unknown shape_type {shown(kind)}" if kind else f"got {shown(row)}"
            faults.append((f"shape {number}", known))
    image = {key: document.get(key) for key in ("imagePath", "imageHeight", "imageWidth")}
    return LabelmeFile(image, tuple(shapes), tuple(left_out), tuple(faults), encoding)


def _shape(number: int, kind: str, row: dict[str, Any]) -> Shape:
    points = row.get("points")
    box = _box(kind, points)
    got = "" if box else f"got {shown(points)} of a {kind}"
    return Shape(number, row.get("label"), box or _NO_BOX, got, row.get("difficult") is True)


def _box(kind: str, points: Any) -> Box | None:
    """The box around a shape; ``None`` where its points are too few, too many, or no numbers."""
    if type(points) is not list or not all(map(_is_point, points)):
        return None
    if not (len(points) in _POINTS[kind] if kind in _POINTS else len(points) >= 3):
        return None
    if kind == "circle":
        (x, y), rim = points
        radius = math.dist((x, y), rim)
        return x - radius, y - radius, x + radius, y + radius
    xs, ys = zip(*points)
    return min(xs), min(ys), max(xs), max(ys)


def _is_point(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) == 2
        and all(type(v) in (int, float) and abs(v) <= _LARGEST for v in value)
    )
