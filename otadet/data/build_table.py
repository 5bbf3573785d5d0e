"""Build the annotation table of a data set from records without faults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from loguru import logger

from otadet.data.annotation_table import AnnotationTable, Ints, offsets
from otadet.data.classes import ids_by_name
from otadet.data.records import Bools, Records
from otadet.errors import InputError


def build_table(records: Records, names: Sequence[str]) -> tuple[AnnotationTable, dict[str, int]]:
    """Clip boxes to their images, drop those without area, sort by image.

    Images without a size are left out. Boxes that are amodal are not cut; only those wholly
    outside are left out.

    Args:
        records: see :class:`~otadet.data.records.Records`, with sizes and boxes in pixels.
        names: the wanted order of classes, matched by name.

    Returns:
        The table and how many boxes were left out: ``no_area`` and ``outside``.

    Raises:
        InputError: the data have a class that is not among ``names``.
    """
    labels = class_order(records.names, names, str(records.path))
    labels = np.append(labels, -1)[records.labels]  # -1, for every class, stays
    there = np.asarray(np.isfinite(records.sizes).all(axis=1), bool)
    sizes = np.nan_to_num(records.sizes).astype(np.int64)
    image, wide = records.image, records.boxes
    cut = np.clip(wide, 0, sizes[image][:, [1, 0, 1, 0]]).astype(np.float32)
    no_area = np.any(wide[:, 2:] <= wide[:, :2], axis=1) & there[image]
    outside = np.any(cut[:, 2:] <= cut[:, :2], axis=1) & ~no_area & there[image]
    _warn(records, no_area, "without area")
    _warn(records, outside, "wholly outside the image")
    boxes = wide.astype(np.float32) if records.amodal else cut
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64)
    if records.areas is not None:
        areas = np.where(np.isnan(records.areas), areas, records.areas)
    use = ~no_area & ~outside & there[image]
    objects = _by_image(image, use & ~records.ignored)
    ignored = _by_image(image, use & records.ignored)
    table = AnnotationTable(
        class_names=tuple(names),
        image_ids=records.image_ids,
        file_names=records.file_names,
        sizes=sizes,
        starts=offsets(np.bincount(image[objects], minlength=len(records))),
        boxes=boxes[objects],
        labels=labels[objects],
        areas=areas[objects],
        ignore_starts=offsets(np.bincount(image[ignored], minlength=len(records))),
        ignore_boxes=boxes[ignored],
        ignore_labels=labels[ignored],
        amodal=records.amodal,
        category_ids=ids_by_name(names, records.names, records.class_ids),
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


def _by_image(image: Ints, keep: Bools) -> Ints:
    """Indices of the rows to keep, image by image, in the file's order within an image."""
    kept = np.flatnonzero(keep)
    return kept[np.argsort(image[kept], kind="stable")]


def _warn(records: Records, dropped: Bools, what: str) -> None:
    if dropped.any():
        first = int(np.argmax(dropped))
        path, at = records.place(first)
        logger.warning(
            f"{records.path}: {int(dropped.sum())} boxes {what} are left out; the first is that "
            f"of {path.name}, {at}: {records.corners(first)}"
        )
