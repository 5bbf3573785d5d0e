"""A CSV file with a box a line, as TensorFlow's tutorials and RetinaNet have it.

filename,width,height,class,xmin,ymin,xmax,ymax     columns in any order, found by their names
path,x1,y1,x2,y2,class                              without a header, in this order

Corners are pixels that count from 0, and a box ends before x2, y2, as torchvision has it. A line
with an image and neither corners nor class is an image without objects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.data.class_names import found_classes
from otadet.data.csv_header import CORNERS
from otadet.data.csv_rows import CsvRows, read_csv_rows
from otadet.data.findings import Finding, Spot, found
from otadet.data.layouts import SplitPaths
from otadet.data.records import ReadOptions, Records
from otadet.data.text_file import encoding_findings, shown

_LARGEST = 1e9
_LISTS = ("classes.csv", "classes.txt")
_NO_SIZE = {("", ""), ("0", "0")}


def read_csv(place: SplitPaths, how: ReadOptions) -> Records:
    """Read a CSV file of boxes.

    Images are relative to ``place.images``, else to the file's folder. ``classes.csv`` beside it
    (``name,index``) gives the order of the classes.

    Raises:
        InputError: the file cannot be read, has no rows, or no columns of known names.
    """
    table = read_csv_rows(place.annotations)
    names, classes = table.columns["image"], table.columns["class"]
    file_names = tuple(dict.fromkeys(filter(None, names)))
    index = {name: i for i, name in enumerate(file_names)}
    image = np.array([index.get(name, -1) for name in names], np.int64)
    rows = np.flatnonzero(np.any([table.filled(each) for each in ("class", *CORNERS)], axis=0))
    boxes = np.stack([table.numbers(corner)[rows] for corner in CORNERS], axis=1)
    boxes[~(np.abs(boxes) <= _LARGEST).all(axis=1)] = np.nan
    folders = (table.path.parent, place.root)
    class_names = found_classes(filter(None, classes), how, *folders, lists=_LISTS)
    class_index = {name: i for i, name in enumerate(class_names)}
    first = dict(zip(image[::-1].tolist(), range(len(names))[::-1]))
    lines = table.lines
    records = Records(
        split=place.split,
        format="csv",
        path=table.path,
        images=place.images or table.path.parent,
        names=class_names,
        image_ids=np.arange(1, len(file_names) + 1, dtype=np.int64),
        file_names=file_names,
        sizes=_sizes(table, image, len(file_names)),
        image=image[rows],
        labels=np.array([class_index.get(classes[row], -1) for row in rows], np.int64),
        boxes=boxes,
        ignored=np.zeros(len(rows), bool),
        place=lambda row: (table.path, f"line {lines[rows[row]]}"),
        image_place=lambda i: (table.path, f"line {lines[first[i]]}"),
        amodal=bool(how.amodal),
        has_ids=False,
    )
    findings = _line_findings(records, table, image) + _box_findings(records, table, rows, classes)
    return records.with_findings(findings)


def _sides(table: CsvRows) -> Floats:
    """Heights and widths ``[R, 2]``; NaN where they are empty, 0 or no numbers."""
    sides = np.stack([table.numbers(side) for side in ("height", "width")], axis=1)
    sides[~((sides > 0) & (sides <= _LARGEST))] = np.nan  # first: infinity has no remainder
    sides[sides % 1 != 0] = np.nan
    return sides


def _sizes(table: CsvRows, image: Ints, count: int) -> Floats:
    """Sizes ``[N, 2]`` of the images, the larger where lines differ; NaN where not stated."""
    sizes = np.full((count + 1, 2), np.nan)  # the last is of lines without an image
    np.fmax.at(sizes, image, _sides(table))
    return sizes[:-1]


def _line_findings(records: Records, table: CsvRows, image: Ints) -> list[Finding]:
    """Lines that do not fit the table, name no image, or state another size."""
    path, split, unfit = str(table.path), records.split, table.unfit

    def line(row: int, got: str = "") -> Spot:
        i = int(image[row])
        name = records.file_names[i] if i >= 0 else None
        return Spot(path, f"line {table.lines[row]}", name, None, got, split, i)

    findings = found(
        "value-invalid", "error", split, range(len(unfit)),
        "expected as many fields as in the first line",
        lambda i: Spot(path, f"line {unfit[i][0]}", got=f"got {shown(unfit[i][1])}", part=split),
    )  # fmt: skip
    findings += found(
        "value-invalid", "error", split, np.flatnonzero(image < 0), "no name of an image", line
    )
    findings += encoding_findings([table.encoding], split, lambda _: Spot(path, part=split))
    texts = list(zip(table.columns["width"], table.columns["height"]))
    sizes = np.concatenate([records.sizes, np.full((1, 2), np.nan)])[image]
    other = np.flatnonzero((_sides(table) != sizes).any(axis=1) & (image >= 0))  # NaN too
    return findings + found(
        "value-invalid", "error", split, [row for row in other if texts[row] not in _NO_SIZE],
        "expected width and height as whole numbers, the same in every line of an image",
        lambda row: line(row, "got " + shown("{} x {}".format(*texts[row]))),
    )  # fmt: skip


def _box_findings(
    records: Records, table: CsvRows, rows: Ints, classes: Sequence[str]
) -> list[Finding]:
    split = records.split

    def corners(row: int) -> Spot:
        texts = [table.columns[corner][rows[row]] for corner in CORNERS]
        return records.box_spot(row, "got " + shown(", ".join(texts)))

    findings = found(
        "box-invalid", "error", split, np.flatnonzero(np.isnan(records.boxes).any(axis=1)),
        "expected four numbers x1, y1, x2, y2", corners,
    )  # fmt: skip
    findings += records.reversed_corners()
    named = table.filled("class")[rows]
    findings += found(
        "value-invalid", "error", split, np.flatnonzero(~named), "no name of a class",
        records.box_spot,
    )  # fmt: skip
    return findings + records.unknown_classes(lambda row: classes[rows[row]])
