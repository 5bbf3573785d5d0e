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
from collections.abc import Sequence
from typing import Any

import numpy as np

from otadet.choices import OdgtBox
from otadet.data.annotation_table import Ints
from otadet.data.class_names import found_classes
from otadet.data.findings import Finding, Spot, found
from otadet.data.json_rows import Rows
from otadet.data.layouts import SplitPaths
from otadet.data.records import Bools, ReadOptions, Records
from otadet.data.text_file import encoding_findings, json_fault, read_encoded, shown

_MASK = "mask"
_HEAD = "head"


def read_odgt(place: SplitPaths, how: ReadOptions) -> Records:
    """Read an odgt file.

    The class of a box is its ``tag``; ``mask`` and ``ignore`` (of ``extra``; for heads of
    ``head_attr`` too) make an ignore region, a mask for every class. With ``hbox`` the only class
    is ``head``. The image of a line is ``<ID>.jpg``. Keys beside the published format are
    understood, so that nothing is lost that came from elsewhere: ``file_name``, ``image_id``,
    ``width``, ``height`` and ``amodal`` of a line, ``area`` in ``extra``.

    Raises:
        InputError: the file is missing or no text.
    """
    path, split, box = place.annotations, place.split, how.odgt_box
    lines, numbers, findings = _lines(place)
    lists = lines.values("gtboxes")
    lines.wrong("gtboxes", [i for i, v in enumerate(lists) if type(v) is not list], "a list")
    lists = [v if type(v) is list else [] for v in lists]
    image = np.repeat(np.arange(len(lists)), [len(v) for v in lists])
    first = np.cumsum([0, *map(len, lists)])

    def at(row: int) -> str:
        line = int(image[row])
        return f"line {numbers[line]}, gtboxes[{row - int(first[line])}]"

    def spot(row: int, got: str) -> Spot:
        name = lines.rows[int(image[row])].get("ID")
        return Spot(str(path), at(row), name if type(name) is str else None, None, got, split)

    boxes = Rows([], spot, split, "gtboxes")
    boxes.take([each for v in lists for each in v])
    tags, masks, ignored, extra = _kinds(boxes, box)
    if box != "fbox":  # a mask has no other box
        boxes.rows = [
            {box: row.get("fbox")} if mask and box not in row else row
            for row, mask in zip(boxes.rows, masks.tolist())
        ]
    xywh = boxes.boxes(box)
    found_names = (tag for tag in tags if tag not in ("", _MASK))
    names = (_HEAD,) if box == "hbox" else found_classes(found_names, how, path.parent)
    known = {name: index for index, name in enumerate(names)}
    image_ids, has_ids = _image_ids(lines)
    records = Records(
        split=split,
        format="odgt",
        path=path,
        images=place.images or place.root,
        names=names,
        image_ids=image_ids,
        file_names=_file_names(lines),
        sizes=np.stack(
            [lines.numbers(key, np.nan, "a whole number >= 1", low=1, whole=True)
             for key in ("height", "width")], axis=1,
        ),
        image=image,
        labels=np.array([known.get(tag, -1) for tag in tags], np.int64),
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        areas=extra.numbers("area", np.nan, "a number >= 0"),
        ignored=ignored,
        place=lambda i: (path, at(i)),
        image_place=lambda i: (path, f"line {numbers[i]}"),
        amodal=_whole(lines, box) if how.amodal is None else how.amodal,
        has_ids=has_ids,
    )  # fmt: skip
    findings += [*lines.findings, *boxes.findings]
    return records.with_findings([*findings, *records.unknown_classes(lambda row: tags[row])])


def _lines(place: SplitPaths) -> tuple[Rows, Sequence[int], list[Finding]]:
    """Return the objects of the lines, their numbers, and a finding on lines that are none."""
    path, split = place.annotations, place.split
    text, encoding = read_encoded(path)
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            broken.append((number, f"broken JSON at column {error.colno}: {error.msg}"))
            continue
        except (RecursionError, ValueError) as error:
            broken.append((number, json_fault(error)))
            continue
        if type(row) is dict:
            rows.append(row)
            numbers.append(number)
        else:
            broken.append((number, f"got {shown(row)}"))

    def spot(index: int, got: str) -> Spot:
        name = rows[index].get("ID")
        known = name if type(name) is str else None
        return Spot(str(path), f"line {numbers[index]}", known, None, got, split)

    findings = encoding_findings([encoding], split, lambda _: Spot(str(path), part=split))
    findings += found(
        "value-invalid", "error", split, range(len(broken)), "expected one JSON object a line",
        lambda i: Spot(str(path), f"line {broken[i][0]}", got=broken[i][1], part=split),
    )  # fmt: skip
    return Rows(rows, spot, split, "lines"), numbers, findings


def _kinds(boxes: Rows, box: OdgtBox) -> tuple[list[str], Bools, Bools, Rows]:
    """Return the class of every box, which are masks, which are ignored, and ``extra``."""
    tags = boxes.strings("tag")
    masks = np.array([tag == _MASK for tag in tags], bool)
    if box == "hbox":
        tags = [_HEAD if tag not in ("", _MASK) else tag for tag in tags]
    extra = boxes.within("extra")
    ignored = masks | (extra.numbers("ignore", 0, "0 or 1", among=(0, 1)) == 1)
    if box == "hbox":
        head = boxes.within("head_attr")
        ignored |= head.numbers("ignore", 0, "0 or 1", among=(0, 1)) == 1
    return tags, masks, np.asarray(ignored, bool), extra


def _whole(lines: Rows, box: OdgtBox) -> bool:
    """Return whether boxes are those of whole objects; lines from elsewhere may deny it."""
    given = lines.values("amodal", True)
    bad = [i for i, value in enumerate(given) if type(value) is not bool]
    lines.wrong("amodal", bad, "true or false")
    return box == "fbox" and all(given)


def _file_names(lines: Rows) -> tuple[str, ...]:
    ids = lines.strings("ID")
    keys = [name or None for name in ids]
    text = "key 'ID': expected a name of its own"
    lines.report_doubles("ID", keys, "image-listed-twice", "error", text)
    names = [
        row.get("file_name", f"{name}.jpg" if name else "") for row, name in zip(lines.rows, ids)
    ]
    given = [i for i, row in enumerate(lines.rows) if "file_name" in row]
    bad = [i for i in given if type(names[i]) is not str or not names[i]]
    lines.wrong("file_name", bad, "a non-empty string")
    return tuple(name if type(name) is str else "" for name in names)


def _image_ids(lines: Rows) -> tuple[Ints, bool]:
    """Return the stated ids where every line has one, else 1, 2, 3 ..., and whether they are."""
    if lines.rows and all("image_id" in row for row in lines.rows):
        keys = lines.keys("image_id")
        text = "the same id more than once"
        lines.report_doubles("image_id", keys, "image-id-double", "error", text)
        return np.array([key if type(key) is int else -1 for key in keys], np.int64), True
    return np.arange(1, len(lines.rows) + 1, dtype=np.int64), False
