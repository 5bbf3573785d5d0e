"""Write annotations as a table, one row an object, in the columns of TensorFlow's tutorials."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from loguru import logger

from otadet.choices import Split
from otadet.data.classes import Classes
from otadet.data.write_parts import Lost, lost_of_boxes, write_names
from otadet.types import GroundTruth

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")

_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet computes a cell that begins so."""


def write_csv(gts: Iterable[GroundTruth], classes: Classes, folder: Path, split: Split) -> Lost:
    """Write ``<split>_labels.csv`` and ``classes.txt``; ignore regions are lost.

    An image without objects is a row whose class and box are empty. Names stay as they are, also
    where a spreadsheet would take them for a formula: to every reader they are the class.
    """
    write_names(classes.names, folder)
    for name in classes.names:
        if name.startswith(_FORMULA):
            logger.warning("class {!r}: a spreadsheet takes it for a formula", name)
    lost: Lost = Lost()
    with (folder / f"{split}_labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for gt in gts:
            table.writerows(_rows(gt, classes.names))
            lost += lost_of_boxes(gt)
    return lost


def _rows(gt: GroundTruth, class_names: Sequence[str]) -> Iterator[list[object]]:
    height, width = gt.size
    for box, label in zip(gt.boxes, gt.labels.tolist()):
        # The shortest digits that name the float32; whole numbers as such.
        sides = [str(side).removesuffix(".0") for side in box]
        yield [gt.file_name, width, height, class_names[label], *sides]
    if not len(gt):
        yield [gt.file_name, width, height, *[""] * 5]
