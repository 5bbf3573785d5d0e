"""Build an annotation table of the columns that a reader extracted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from loguru import logger

from otadet.data.annotation_table import AnnotationTable, Floats, Ints, offsets
from otadet.errors import InputError

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Columns:
    """``K`` annotations in the file's order.

    Attributes:
        image: ``[K]`` index of the image.
        labels: ``[K]`` class index; -1, for every class, only where it is ignored.
        boxes: ``[K, 4]`` float64 xyxy, image frame, not cut.
        areas: ``[K]`` square pixels; NaN for that of the box.
        ignored: ``[K]`` whether it is an ignore region.
        path: the file, or the folder of files.
        place: where in it an annotation stands, for messages.
    """

    image: Ints
    labels: Ints
    boxes: Floats
    areas: Floats
    ignored: Bools
    path: Path
    place: Callable[[int], str]


def build_table(
    names: Sequence[str],
    image_ids: Ints,
    file_names: Sequence[str],
    sizes: Ints,
    columns: Columns,
    amodal: bool,
) -> tuple[AnnotationTable, dict[str, int]]:
    """Clip boxes to their images, drop those without area, sort by image.

    Args:
        names: of the class indices.
        image_ids: ``[N]``.
        file_names: ``N``, relative to the image folder.
        sizes: ``[N, 2]`` height and width; 0 for an image that is to be left out.
        columns: the annotations.
        amodal: boxes are not cut; only those wholly outside are left out.

    Returns:
        The table and how many boxes were left out: ``no_area`` and ``outside``.
    """
    image, wide = columns.image, columns.boxes
    there = sizes.min(axis=1) > 0
    cut = np.clip(wide, 0, sizes[image][:, [1, 0, 1, 0]]).astype(np.float32)
    no_area = np.any(wide[:, 2:] <= wide[:, :2], axis=1) & there[image]
    outside = np.any(cut[:, 2:] <= cut[:, :2], axis=1) & ~no_area & there[image]
    _warn(columns, no_area, "without area")
    _warn(columns, outside, "wholly outside the image")
    boxes = wide.astype(np.float32) if amodal else cut
    box_areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64)
    areas = np.where(np.isnan(columns.areas), box_areas, columns.areas)
    use = ~no_area & ~outside
    objects = _by_image(image, use & ~columns.ignored)
    ignored = _by_image(image, use & columns.ignored)
    table = AnnotationTable(
        class_names=tuple(names),
        image_ids=image_ids,
        file_names=tuple(file_names),
        sizes=sizes,
        starts=offsets(np.bincount(image[objects], minlength=len(image_ids))),
        boxes=boxes[objects],
        labels=columns.labels[objects],
        areas=areas[objects],
        ignore_starts=offsets(np.bincount(image[ignored], minlength=len(image_ids))),
        ignore_boxes=boxes[ignored],
        ignore_labels=columns.labels[ignored],
        amodal=amodal,
    )
    skipped = {"no_area": int(no_area.sum()), "outside": int(outside.sum())}
    return (table if there.all() else table.only(there)), skipped


def class_order(found: Sequence[str], wanted: Sequence[str], source: str) -> Ints:
    """Return the index in ``wanted`` of each class that the data have.

    Raises:
        InputError: a class is not among the wanted ones.
    """
    places = {name: index for index, name in enumerate(wanted)}
    unknown = [name for name in found if name not in places]
    if unknown:
        raise InputError(
            f"{source}: classes {unknown} are not among the expected ones: expected "
            f"{list(wanted)}, the file has {list(found)}"
        )
    return np.array([places[name] for name in found], np.int64)


def named_classes(
    found: Mapping[str, str], wanted: Sequence[str] | None, source: str
) -> tuple[str, ...]:
    """Return the class names of a format that has no list of them.

    The wanted ones, else all that were found, in alphabetical order, whatever the order of files.

    Args:
        found: where each name stands first.
        wanted: see :class:`~otadet.data.coco.CocoDataset`.
        source: the file or folder.

    Raises:
        InputError: a class is not among the wanted ones, or there is none.
    """
    if wanted is None:
        if not found:
            raise InputError(f"{source}: expected at least one object with a class, got none")
        return tuple(sorted(found))
    for name, place in found.items():
        if name not in wanted:
            raise InputError(
                f"{source}: {place}: class {name!r} is not among the expected ones: expected "
                f"{list(wanted)}, the data have {sorted(found)}"
            )
    return tuple(wanted)


def _by_image(image: Ints, keep: Bools) -> Ints:
    """Indices of the rows to keep, image by image, in the file's order within an image."""
    kept = np.flatnonzero(keep)
    return kept[np.argsort(image[kept], kind="stable")]


def _warn(columns: Columns, dropped: Bools, what: str) -> None:
    if dropped.any():
        first = int(np.argmax(dropped))
        corners = ", ".join(f"{side:g}" for side in columns.boxes[first])
        logger.warning(
            f"{columns.path}: {int(dropped.sum())} boxes {what} are left out; the first is that "
            f"of {columns.place(first)}: x1, y1, x2, y2 = {corners}"
        )
