"""CrowdHuman's annotation format, one JSON object a line and image: https://www.crowdhuman.org.

    {"ID": "273271,c9db000d5146c15", "gtboxes": [
        {"tag": "person", "fbox": [72, 202, 163, 503], "vbox": [...], "hbox": [...],
         "head_attr": {"ignore": 0, "occ": 1, "unsure": 0}, "extra": {"box_id": 0, "occ": 1}},
        {"tag": "mask", "fbox": [...], "extra": {"ignore": 1}}]}

``fbox`` is the box of the whole body, which may leave the image, ``vbox`` that of the visible part,
``hbox`` the head's; all are left, top, width, height in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otadet.choices import OdgtBox, Unreadable
from otadet.data.annotation_table import AnnotationTable, Ints
from otadet.data.build_table import Bools, Columns, build_table, named_classes
from otadet.data.class_names import names_beside
from otadet.data.image_sizes import read_sizes
from otadet.data.json_rows import Rows, read_text, shown
from otadet.errors import InputError

_MASK = "mask"
_HEAD = "head"


@dataclass(frozen=True)
class _Placed(Rows):
    """Rows of a file of lines.

    Attributes:
        place: where row ``i`` stands.
        inner: the key under which the rows were found in others.
    """

    place: Callable[[int], str] = str
    inner: str = ""

    def fault(self, index: int, key: str, expected: str) -> InputError:
        row = self.rows[index]
        got = f"got {shown(row[key])}" if key in row else "the key is missing"
        return InputError(
            f"{self.where(index)}, key {self.inner + key!r}: expected {expected}, {got}"
        )

    def where(self, index: int) -> str:
        return f"{self.path}: {self.place(index)}"

    def within(self, key: str) -> _Placed:
        """Return the objects under ``key`` of each row, empty ones where it is missing."""
        inner = [row.get(key) for row in self.rows]
        if not set(map(type, inner)) <= {dict, type(None)}:
            self.check(inner, lambda v: v is None or type(v) is dict, key, "an object")
        return _Placed(
            self.path, key, self.kind, [row or {} for row in inner], self.place, f"{key}."
        )

    def flags(self, key: str) -> Bools:
        """Read a column of 0 and 1, 0 where it is missing."""
        column = self.numbers(key, 0, "0 or 1")
        good = np.isin(column, (0, 1))
        if not good.all():
            raise self.fault(int(np.argmin(good)), key, "0 or 1")
        return np.asarray(column == 1, bool)


def read_odgt(
    path: Path,
    images: Path,
    class_names: Sequence[str] | None = None,
    *,
    box: OdgtBox = "fbox",
    amodal: bool | None = None,
    unreadable: Unreadable = "stop",
) -> tuple[AnnotationTable, dict[str, int]]:
    """Read and check an odgt file.

    The class of a box is its ``tag``; ``mask`` and ``ignore`` (of ``extra``; for heads of
    ``head_attr`` too) make an ignore region, a mask for every class. With ``hbox`` the only class
    is ``head``. The image of a line is ``<ID>.jpg``. Keys beside the published format are
    understood, so that nothing is lost that came from elsewhere: ``file_name``, ``image_id``,
    ``width``, ``height`` and ``amodal`` of a line, ``area`` in ``extra``.

    Args:
        path: the file.
        images: the folder of the images; their headers are read where sizes are not stated.
        class_names: the wanted order of classes; default: ``classes.txt`` beside, else all tags
            by the alphabet.
        box: which box is learned.
        amodal: keep boxes that leave the image whole; default: for ``fbox``.
        unreadable: as in :class:`~otadet.data.files.FileDataset`.

    Returns:
        The table in the file's order, and how many boxes and images were left out.

    Raises:
        InputError: names the file, the line, the box and the key.
    """
    lines, numbers = _lines(path)
    image, objects = _objects(lines, numbers)
    if class_names is None and box != "hbox":
        class_names = names_beside(path.parent)
    masks, tags, names = _classes(objects, class_names, box)
    known = {name: index for index, name in enumerate(names)}
    extra = objects.within("extra")
    ignored = masks | extra.flags("ignore")
    if box == "hbox":
        ignored |= objects.within("head_attr").flags("ignore")
    if box != "fbox":  # a mask has no other box
        swapped: list[dict[str, Any]] = [
            {box: row.get("fbox")} if mask and box not in row else row
            for row, mask in zip(objects.rows, masks.tolist())
        ]
        objects = _Placed(path, objects.section, objects.kind, swapped, objects.place)
    xywh = objects.boxes(box)
    columns = Columns(
        image=image,
        labels=np.array([known.get(tag, -1) for tag in tags], np.int64),
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        areas=extra.numbers("area", np.nan, "a number >= 0"),
        ignored=ignored,
        path=path,
        place=objects.place,
    )
    file_names = _file_names(lines)
    sizes, bad = _sizes(lines, images, file_names, unreadable)
    whole = _whole(lines, box) if amodal is None else amodal
    table, skipped = build_table(names, _image_ids(lines), file_names, sizes, columns, whole)
    return table, {**skipped, "unreadable": bad}


def _lines(path: Path) -> tuple[_Placed, list[int]]:
    """The objects of all lines that are not empty, and their numbers."""
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if not text or text.isspace():
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{path}: broken JSON at line {number}, column {error.colno}: {error.msg}; "
                "expected one object a line"
            ) from error
        except RecursionError as error:
            raise InputError(f"{path}: line {number}: JSON is nested too deeply") from error
        if type(row) is not dict:
            raise InputError(f"{path}: line {number}: expected an object, got {shown(row)}")
        rows.append(row)
        numbers.append(number)

    def place(index: int) -> str:
        name = rows[index].get("ID")
        return f"line {numbers[index]}" + (f" (image {shown(name)})" if name is not None else "")

    return _Placed(path, "lines", "line", rows, place), numbers


def _objects(lines: _Placed, numbers: list[int]) -> tuple[Ints, _Placed]:
    """All boxes of all lines, and the index of the line of each."""
    lists = [row.get("gtboxes") for row in lines.rows]
    if not set(map(type, lists)) <= {list}:
        lines.check(lists, lambda v: type(v) is list, "gtboxes", "a list")
    counts = np.array([len(boxes or ()) for boxes in lists], np.int64)
    image = np.repeat(np.arange(len(lists)), counts)
    first = np.cumsum(counts) - counts

    def place(index: int) -> str:
        line = int(image[index])
        return (
            f"line {numbers[line]}, gtboxes[{index - first[line]}] "
            f"(image {shown(lines.rows[line].get('ID'))})"
        )

    rows: list[Any] = [row for boxes in lists for row in boxes or ()]
    for index, row in enumerate(rows):
        if type(row) is not dict:
            raise InputError(f"{lines.path}: {place(index)}: expected an object, got {shown(row)}")
    return image, _Placed(lines.path, "gtboxes", "box", rows, place)


def _classes(
    objects: _Placed, class_names: Sequence[str] | None, box: OdgtBox
) -> tuple[Bools, list[str], tuple[str, ...]]:
    """Which boxes are masks, the class of every box, and the names of the class indices."""
    tags = objects.strings("tag")
    masks = np.array([tag == _MASK for tag in tags], bool)
    if box == "hbox":
        tags = [_MASK if tag == _MASK else _HEAD for tag in tags]
    first: dict[str, str] = {}
    for index, tag in enumerate(tags):
        if tag not in first and tag != _MASK:
            first[tag] = objects.place(index)
    return masks, tags, named_classes(first, class_names, str(objects.path))


def _whole(lines: _Placed, box: OdgtBox) -> bool:
    """Whether boxes are those of whole objects; lines that came from elsewhere may deny it."""
    given = [row.get("amodal", True) for row in lines.rows]
    lines.check(given, lambda v: type(v) is bool, "amodal", "true or false")
    return box == "fbox" and all(given)


def _file_names(lines: _Placed) -> list[str]:
    names = lines.strings("ID")
    twice = {name: index for index, name in enumerate(names)}
    if len(twice) < len(names):
        index = next(i for i, name in enumerate(names) if twice[name] != i)
        raise InputError(
            f"{lines.where(twice[names[index]])}, key 'ID': expected a name of its own, got the "
            f"same as in {lines.place(index)}"
        )
    given = [row.get("file_name", f"{name}.jpg") for row, name in zip(lines.rows, names)]
    lines.check(given, lambda v: type(v) is str and v != "", "file_name", "a non-empty string")
    return given


def _image_ids(lines: _Placed) -> Ints:
    """The stated ids where every line has one, else 1, 2, 3 ..."""
    if lines.rows and all("image_id" in row for row in lines.rows):
        return lines.unique_integers("image_id")
    return np.arange(1, len(lines.rows) + 1, dtype=np.int64)


def _sizes(
    lines: _Placed, images: Path, file_names: list[str], unreadable: Unreadable
) -> tuple[Ints, int]:
    """``[N, 2]`` height and width, from the images where a line does not state them."""
    stated = np.stack(
        [lines.numbers(key, np.nan, "a whole number >= 1", low=1) for key in ("height", "width")],
        axis=1,
    )
    for column, key in enumerate(("height", "width")):
        broken = stated[:, column] % 1 > 0
        if broken.any():
            raise lines.fault(int(np.argmax(broken)), key, "a whole number >= 1")
    unknown = np.flatnonzero(np.isnan(stated).any(axis=1))
    found, bad = read_sizes(
        images,
        [file_names[i] for i in unknown],
        [lines.where(int(i)) for i in unknown],
        unreadable,
    )
    sizes = np.nan_to_num(stated).astype(np.int64)
    sizes[unknown] = found
    return sizes, bad
