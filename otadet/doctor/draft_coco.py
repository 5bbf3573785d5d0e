"""A draft of a COCO file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from otadet.data.annotation_table import Ints
from otadet.data.findings import Finding, Part, Spot, found
from otadet.data.json_rows import load_json, shown
from otadet.data.layouts import SplitPaths
from otadet.doctor.draft import Draft, fill_sizes
from otadet.doctor.loose import Loose, places_of


def draft_coco(place: SplitPaths, amodal: bool) -> tuple[Draft | None, list[Finding]]:
    """Read all of the file that can be understood, and report what cannot.

    Raises:
        InputError: the file is missing or no JSON object.
    """
    path, part = place.annotations, place.split
    document = load_json(path)
    images = _section(path, part, document, "images", "image")
    categories = _section(path, part, document, "categories", "category")
    rows = _section(path, part, document, "annotations", "annotation")

    image_ids = images.unique("id", "image-id-double")
    file_names = tuple(images.strings("file_name"))
    sizes = np.stack(
        [
            images.numbers(key, np.nan, "a whole number >= 1", low=1, whole=True)
            for key in ("height", "width")
        ],
        axis=1,
    )
    names, class_ids, labels_of = _classes(path, categories)
    rows.unique("id", "annotation-id-double")
    image = _looked_up(
        rows, "image_id", image_ids, "image-id-unknown", "the id of one of the images"
    )
    category = _looked_up(rows, "category_id", class_ids, "class-unknown", _expected(class_ids))
    xywh = rows.boxes("bbox")
    rows.numbers("area", np.nan, "a number >= 0")
    crowd = rows.numbers("iscrowd", 0, "0 or 1", among=(0, 1))
    folder = place.images or place.root
    draft = Draft(
        part=part,
        format="coco",
        path=path,
        images=folder,
        names=names,
        class_ids=tuple(np.sort(class_ids).tolist()),
        image_ids=image_ids,
        file_names=file_names,
        sizes=fill_sizes(folder, file_names, sizes),
        stated=np.asarray(np.isfinite(sizes).all(axis=1), bool),
        image=image,
        labels=np.where(category < 0, -1, labels_of[category] if len(labels_of) else -1),
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        ignored=crowd == 1,
        amodal=amodal,
        place=lambda i: (path, _at("annotations", "annotation", rows.rows[i], i)),
        image_place=lambda i: (path, _at("images", "image", images.rows[i], i)),
    )
    return draft, images.findings + categories.findings + rows.findings


def _section(path: Path, part: Part, document: dict[str, Any], key: str, kind: str) -> Loose:
    rows = document.get(key)
    names = {
        row["id"]: row.get("file_name")
        for row in document["images"]
        if type(row) is dict and type(row.get("id")) is int
    } if kind == "annotation" and type(document.get("images")) is list else {}  # fmt: skip

    def spot(index: int, got: str) -> Spot:
        row = loose.rows[index]
        image_id = row.get("id" if kind == "image" else "image_id")
        known = image_id if kind != "category" and type(image_id) is int else None
        name = row.get("file_name") if kind == "image" else names.get(known)
        at = _at(key, kind, row, index)
        return Spot(str(path), at, name if type(name) is str else None, known, got, part)

    loose = Loose([], spot, part, key)
    if type(rows) is list:
        loose.drop_others(rows)
    else:
        got = f"got {shown(rows)}" if key in document else "the key is missing"
        loose.findings += [
            Finding(
                "value-invalid", "error", part, 1, f"key {key!r}: expected a list",
                (Spot(str(path), f"key {key!r}", got=got, part=part),),
            )
        ]  # fmt: skip
    return loose


def _at(section: str, kind: str, row: dict[str, Any], index: int) -> str:
    return f"{kind} id {shown(row['id'])}" if "id" in row else f"{section}[{index}]"


def _classes(path: Path, rows: Loose) -> tuple[tuple[str, ...], Ints, Ints]:
    """Names by class index, the ids in the file's order, and the class index of each."""
    ids, names = rows.unique("id", "category-id-double"), rows.strings("name")
    if not len(ids) and not rows.findings:
        rows.findings += [
            Finding(
                "classes-missing", "error", rows.part, 1, "no classes are named",
                (Spot(str(path), "key 'categories'", part=rows.part),),
            )
        ]  # fmt: skip
    twice = [i for i, name in enumerate(names) if name and name in names[:i]]
    rows.findings += found(
        "class-name-double", "error", rows.part, twice, "categories: a name more than once",
        lambda i: rows.spot(i, f"{names[i]!r} again"),
    )  # fmt: skip
    order = np.argsort(ids, kind="stable")
    labels = np.empty(len(ids), np.int64)
    labels[order] = np.arange(len(ids))
    return tuple(names[i] for i in order), ids, labels


def _looked_up(rows: Loose, key: str, ids: Ints, code: str, expected: str) -> Ints:
    values, bad = rows.integers(key)
    place = places_of(values, ids)
    place[bad] = -1
    unknown = np.setdiff1d(np.flatnonzero(place < 0), bad).tolist()
    if unknown:
        rows.wrong(key, unknown, expected + _off_by_one(values[unknown], ids), code)
    return place


def _expected(ids: Ints) -> str:
    listed = ", ".join(map(str, np.sort(ids)[:10].tolist()))
    return f"one of the category ids {listed}{', ...' if len(ids) > 10 else ''}"


def _off_by_one(values: Ints, ids: Ints) -> str:
    """A hint where ids look like those of a list that begins at another number."""
    if not len(ids):
        return ""
    low, high = int(ids.min()), int(ids.max())
    if low == 1 and set(values.tolist()) == {0}:
        return " (annotations count from 0, categories from 1?)"
    if low == 0 and set(values.tolist()) == {high + 1}:
        return " (annotations count from 1, categories from 0?)"
    return ""
