"""Open a data set of any annotation format."""

from __future__ import annotations

from pathlib import Path

from otadet.data.annotation_table import AnnotationTable
from otadet.data.coco import read_coco
from otadet.data.files import FileDataset
from otadet.data.layouts import SplitPaths
from otadet.data.odgt import read_odgt
from otadet.data.records import ReadOptions
from otadet.data.voc import read_voc
from otadet.data.yolo import read_yolo
from otadet.data.yolo_layout import find_yolo


def read_data(place: SplitPaths, how: ReadOptions) -> tuple[AnnotationTable, dict[str, int], Path]:
    """Read annotations of any format; also the numbers left out by reason and the image folder.

    Raises:
        InputError: names the file, the annotation and the key.
    """
    wanted = how.class_names if how.class_names is not None else how.classes
    images = place.images or place.root
    if place.format == "coco":
        found = read_coco(place.annotations, images, wanted, bool(how.amodal))
    elif place.format == "odgt":
        found = read_odgt(
            place.annotations, images, wanted,
            box=how.odgt_box, amodal=how.amodal, unreadable=how.unreadable,
        )  # fmt: skip
    elif place.format == "voc":
        found = read_voc(
            place.annotations, images, wanted,
            keep_difficult=how.difficult == "keep", amodal=bool(how.amodal),
            unreadable=how.unreadable,
        )  # fmt: skip
    else:
        files = find_yolo(place)
        images = files.images
        found = read_yolo(
            files, how.class_names, names=how.classes, amodal=bool(how.amodal),
            unreadable=how.unreadable,
        )  # fmt: skip
    return *found, images


def open_data(
    place: SplitPaths, how: ReadOptions | None = None, drop_empty: bool = False
) -> FileDataset:
    """Open a data set of any format.

    Args:
        place: of :func:`~otadet.data.layouts.find_data`.
        how: see :class:`~otadet.data.records.ReadOptions`.
        drop_empty: leave out images without objects.

    Raises:
        InputError: the annotations are not as their format has it, or an image is missing.
    """
    how = how or ReadOptions()
    table, skipped, images = read_data(place, how)
    if drop_empty:
        full, table = table, table.without_empty()
        skipped["empty_images"] = len(full) - len(table)
    return FileDataset(
        table,
        images,
        source=str(place.annotations),
        unreadable=how.unreadable,
        skipped=skipped,
    )
