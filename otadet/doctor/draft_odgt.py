"""A draft of CrowdHuman's odgt file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from otadet.choices import OdgtBox
from otadet.data.findings import Finding, Spot, found
from otadet.data.json_rows import read_text, shown
from otadet.data.layouts import SplitPaths
from otadet.doctor.draft import Draft, fill_sizes
from otadet.doctor.loose import Loose


def draft_odgt(place: SplitPaths, box: OdgtBox, amodal: bool) -> tuple[Draft | None, list[Finding]]:
    """Read all of the file that can be understood, and report what cannot.

    Raises:
        InputError: the file is missing or no text.
    """
    path, part = place.annotations, place.split
    rows, numbers, findings = _lines(place)

    def line(index: int, got: str = "") -> Spot:
        name = rows[index].get("ID")
        known = name if type(name) is str else None
        return Spot(str(path), f"line {numbers[index]}", known, None, got, part)

    lines = Loose(rows, line, part, "line")
    lists = lines.values("gtboxes")
    lines.wrong("gtboxes", [i for i, v in enumerate(lists) if type(v) is not list], "a list")
    lists = [v if type(v) is list else [] for v in lists]
    image = np.repeat(np.arange(len(lists)), [len(v) for v in lists])
    first = np.cumsum([0, *map(len, lists)])

    def at(index: int) -> str:
        row = int(image[index])
        return f"line {numbers[row]}, gtboxes[{index - int(first[row])}]"

    def spot(index: int, got: str = "") -> Spot:
        name = rows[int(image[index])].get("ID")
        return Spot(str(path), at(index), name if type(name) is str else None, None, got, part)

    boxes = Loose([], spot, part, "gtboxes")
    boxes.drop_others([each for v in lists for each in v])
    tags = boxes.strings("tag")
    masks = np.array([tag == "mask" for tag in tags], bool)
    if box == "hbox":
        tags = ["head" if tag not in ("", "mask") else tag for tag in tags]
    ignored = masks | (_within(boxes, "extra").numbers("ignore", 0, "0 or 1", among=(0, 1)) == 1)
    if box == "hbox":
        head = _within(boxes, "head_attr")
        ignored |= head.numbers("ignore", 0, "0 or 1", among=(0, 1)) == 1
    if box != "fbox":  # a mask has no other box
        boxes.rows = [
            {box: row.get("fbox")} if mask and box not in row else row
            for row, mask in zip(boxes.rows, masks.tolist())
        ]
    xywh = boxes.boxes(box)
    names = tuple(sorted({tag for tag in tags if tag not in ("", "mask")}))
    known = {name: index for index, name in enumerate(names)}
    file_names = _file_names(lines)
    sizes = np.stack(
        [
            lines.numbers(key, np.nan, "a whole number >= 1", low=1, whole=True)
            for key in ("height", "width")
        ],
        axis=1,
    )
    folder = place.images or place.root
    has_ids = bool(rows) and all("image_id" in row for row in rows)
    draft = Draft(
        part=part,
        format="odgt",
        path=path,
        images=folder,
        names=names,
        class_ids=(),
        image_ids=lines.unique("image_id", "image-id-double")
        if has_ids
        else np.arange(1, len(rows) + 1),
        file_names=file_names,
        sizes=fill_sizes(folder, file_names, sizes),
        stated=np.asarray(np.isfinite(sizes).all(axis=1), bool),
        image=image,
        labels=np.array([known.get(tag, -1) for tag in tags], np.int64),
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        ignored=ignored,
        amodal=amodal,
        place=lambda i: (path, at(i)),
        image_place=lambda i: (path, f"line {numbers[i]}"),
        has_ids=has_ids,
    )
    return draft, findings + lines.findings + boxes.findings


def _lines(place: SplitPaths) -> tuple[list[dict[str, Any]], list[int], list[Finding]]:
    """The objects of the lines, their numbers, and a finding on lines that are none."""
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[tuple[int, str]] = []
    for number, text in enumerate(read_text(place.annotations).split("\n"), start=1):
        if not text or text.isspace():
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            broken.append((number, f"broken JSON at column {error.colno}: {error.msg}"))
            continue
        except RecursionError:
            broken.append((number, "JSON is nested too deeply"))
            continue
        if type(row) is not dict:
            broken.append((number, f"expected an object, got {shown(row)}"))
            continue
        rows.append(row)
        numbers.append(number)
    return rows, numbers, found(
        "value-invalid", "error", place.split, range(len(broken)), "lines that are no JSON object",
        lambda i: Spot(
            str(place.annotations), f"line {broken[i][0]}", got=broken[i][1], part=place.split
        ),
    )  # fmt: skip


def _within(boxes: Loose, key: str) -> Loose:
    """The objects under ``key`` of each row; its findings go to those of ``boxes``."""
    values = boxes.values(key)
    bad = [i for i, v in enumerate(values) if v is not None and type(v) is not dict]
    boxes.wrong(key, bad, "an object")
    rows = [v if type(v) is dict else {} for v in values]
    return Loose(rows, boxes.spot, boxes.part, f"gtboxes, {key}", boxes.findings)


def _file_names(lines: Loose) -> tuple[str, ...]:
    ids = lines.strings("ID")
    first: dict[str, int] = {}
    twice = [i for i, name in enumerate(ids) if name and first.setdefault(name, i) != i]
    lines.findings += found(
        "image-listed-twice", "error", lines.part, twice, "lines with the same ID",
        lambda i: lines.spot(i, f"the same as in {lines.spot(first[ids[i]], '').at}"),
    )  # fmt: skip
    names = [
        row.get("file_name", f"{name}.jpg" if name else "") for row, name in zip(lines.rows, ids)
    ]
    given = [i for i, row in enumerate(lines.rows) if "file_name" in row]
    bad = [i for i in given if type(names[i]) is not str or not names[i]]
    lines.wrong("file_name", bad, "a non-empty string")
    return tuple("" if type(name) is not str else name for name in names)
