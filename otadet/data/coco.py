"""COCO's annotation format: https://cocodataset.org/#format-data, checked before it is used.

Read without ``pycocotools.COCO``, which checks nothing: a wrong id there is an object that is
silently never learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from otadet.data.annotation_table import Ints
from otadet.data.findings import Finding, Part, Spot, found
from otadet.data.json_rows import Key, Rows, look_up
from otadet.data.layouts import SplitPaths
from otadet.data.records import ReadOptions, Records
from otadet.data.text_file import encoding_findings, read_json, shown
from otadet.errors import InputError

_ID_KEY = {"annotation": "image_id", "image": "id"}


def read_coco(place: SplitPaths, how: ReadOptions) -> Records:
    """Read a COCO file.

    Ids may be numbers or text; image ids that are no numbers are numbered anew. The category that
    only groups the others (Roboflow's first one) is left out where it has no objects. An object
    without a box takes that of its polygon or run-length encoding.

    Raises:
        InputError: the file is missing or no JSON object.
    """
    path, split = place.annotations, place.split
    document, encoding = read_json(path)
    if type(document) is not dict:
        raise InputError(f"{path}: expected a JSON object, got {shown(document)}")
    images = _section(path, split, document, "images", "image")
    categories = _section(path, split, document, "categories", "category")
    rows = _section(path, split, document, "annotations", "annotation")

    image_keys = images.keys("id")
    text = "the same id more than once"
    images.report_doubles("id", image_keys, "image-id-double", "error", text)
    _check_annotation_ids(rows)
    image = look_up(image_values := rows.keys("image_id"), image_keys)
    _report_unknown(rows, "image_id", "image-id-unknown", image, image_values, image_keys)
    names, class_ids, labels = _labels(path, categories, rows)
    xywh = rows.boxes("bbox", "segmentation")
    sizes = np.stack([_sides(images, key) for key in ("height", "width")], axis=1)
    image_ids, has_ids = _image_ids(images, image_keys)
    areas = rows.numbers("area", np.nan, "a number >= 0")
    crowd = rows.numbers("iscrowd", 0, "0 or 1", among=(0, 1)) == 1
    file_names = tuple(images.strings("file_name"))
    findings = encoding_findings([encoding], split, lambda _: Spot(str(path), part=split))
    return Records(
        split=split,
        format="coco",
        path=path,
        images=place.images or place.root,
        names=names,
        class_ids=class_ids,
        image_ids=image_ids,
        file_names=file_names,
        sizes=sizes,
        image=image,
        labels=labels,
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        areas=areas,
        ignored=crowd,
        place=lambda i: (path, _at("annotations", "annotation", rows.rows[i], i)),
        image_place=lambda i: (path, _at("images", "image", images.rows[i], i)),
        findings=(*findings, *images.findings, *categories.findings, *rows.findings),
        amodal=bool(how.amodal),
        has_ids=has_ids,
    )


def _section(path: Path, split: Part, document: dict[str, Any], key: str, kind: str) -> Rows:
    values = document.get(key)
    listed = document.get("images")

    @cache
    def names() -> dict[Any, Any]:
        return {
            row["id"]: row.get("file_name")
            for row in (listed if type(listed) is list else [])
            if type(row) is dict and type(row.get("id")) in (int, str)
        }

    def spot(index: int, got: str) -> Spot:
        row = rows.rows[index]
        image_id = row.get(_ID_KEY.get(kind, ""))
        known = image_id if type(image_id) in (int, str) else None
        name = row.get("file_name") if kind == "image" else names().get(known)
        number = known if type(known) is int else None
        at = _at(key, kind, row, index)
        return Spot(str(path), at, name if type(name) is str else None, number, got, split)

    rows = Rows([], spot, split, key)
    if type(values) is list:
        rows.take(values)
    else:
        got = f"got {shown(values)}" if key in document else "the key is missing"
        spots = (Spot(str(path), f"key {key!r}", got=got, part=split),)
        rows.findings.append(Finding("value-invalid", "error", split, 1, "expected a list", spots))
    return rows


def _at(section: str, kind: str, row: dict[str, Any], index: int) -> str:
    return f"{kind} id {shown(row['id'])}" if "id" in row else f"{section}[{index}]"


def _check_annotation_ids(rows: Rows) -> None:
    """Report missing and doubled ids of annotations; nothing refers to them."""
    values = rows.values("id")
    if set(map(type, values)) <= {int} and len(set(values)) == len(values):
        return
    missing = [i for i, value in enumerate(values) if value is None]
    rows.repaired("annotation-id-missing", missing, "id", "missing: numbered anew")
    keys = [value if type(value) in (int, str, float) else None for value in values]
    text = "the same id more than once: numbered anew"
    rows.report_doubles("id", keys, "annotation-id-double", "repaired", text)


def _report_unknown(
    rows: Rows, key: str, code: str, place: Ints, values: Sequence[Key | None],
    ids: Sequence[Key | None],
) -> None:  # fmt: skip
    unknown = [i for i in np.flatnonzero(place < 0).tolist() if values[i] is not None]
    if unknown and ids:  # where there are none, that is reported instead
        strange = [values[i] for i in unknown]
        expected = "the id of one of the images" if key == "image_id" else _listed(ids)
        rows.wrong(key, unknown, expected + _off_by_one(strange, ids), code)


def _listed(ids: Sequence[Key | None]) -> str:
    known = sorted((each for each in ids if each is not None), key=lambda k: (str(type(k)), k))
    return f"one of the category ids {', '.join(map(str, known[:10]))}" + (
        ", ..." if len(known) > 10 else ""
    )


def _off_by_one(values: Sequence[Key | None], ids: Sequence[Key | None]) -> str:
    """Return a hint where ids look like those of a list that begins at another number."""
    numbers = [each for each in ids if type(each) is int]
    if not numbers:
        return ""
    if min(numbers) == 1 and set(values) == {0}:
        return " (annotations count from 0, categories from 1?)"
    if min(numbers) == 0 and set(values) == {max(numbers) + 1}:
        return " (annotations count from 1, categories from 0?)"
    return ""


def _labels(
    path: Path, categories: Rows, rows: Rows
) -> tuple[tuple[str, ...], tuple[int, ...], Ints]:
    """Return the class names, the file's number of each, and the class index of each annotation."""
    keys = categories.keys("id")
    text = "the same id more than once"
    categories.report_doubles("id", keys, "category-id-double", "error", text)
    names = _names(categories)
    values = rows.keys("category_id")
    category = look_up(values, keys)
    _report_unknown(rows, "category_id", "class-unknown", category, values, keys)
    group = _grouping(categories, names, category)
    categories.findings += found(
        "class-group", "note", categories.split, group,
        "the category that only groups the others is left out",
        lambda i: categories.spot(i, f"{names[i]!r}"),
    )  # fmt: skip
    kept = [i for i in range(len(names)) if i not in group]
    _check_names(path, categories, names, kept)
    if all(type(keys[i]) is int for i in kept):
        kept.sort(key=lambda i: keys[i])  # type: ignore[arg-type, return-value]
        class_ids = tuple(keys[i] for i in kept)
    else:
        class_ids = ()
    labels = np.full(len(names) + 1, -1, np.int64)  # the last for unknown categories
    labels[kept] = np.arange(len(kept))
    return tuple(names[i] for i in kept), class_ids, labels[category]  # type: ignore[return-value]


def _names(categories: Rows) -> list[str]:
    values = categories.values("name")
    numbers = [i for i, value in enumerate(values) if type(value) in (int, float)]
    if numbers:
        categories.repaired("class-name-number", numbers, "name", "a number, taken as a name")
        categories.rows = [
            {**row, "name": str(row["name"])} if i in set(numbers) else row
            for i, row in enumerate(categories.rows)
        ]
    return categories.strings("name")


def _grouping(categories: Rows, names: Sequence[str], category: Ints) -> list[int]:
    """Return the index of the category that is the parent of all others and has no objects."""
    parents = [str(parent) for parent in categories.values("supercategory")]
    counts, used = Counter(parents), set(category.tolist())
    for index, name in enumerate(names):
        others = counts[name] - (parents[index] == name)
        if name and 0 < others == len(names) - 1 and index not in used:
            return [index]
    return []


def _check_names(path: Path, categories: Rows, names: Sequence[str], kept: Sequence[int]) -> None:
    if not names and not categories.findings:
        spots = (Spot(str(path), "key 'categories'", got="got none", part=categories.split),)
        categories.findings.append(
            Finding("classes-missing", "error", categories.split, 1,
                    "expected at least one class", spots)
        )  # fmt: skip
    first: dict[str, int] = {}
    twice = [i for i in kept if names[i] and first.setdefault(names[i], i) != i]
    categories.findings += found(
        "class-name-double", "error", categories.split, twice,
        "key 'name': expected a name that no other category has",
        lambda i: categories.spot(i, f"got {names[i]!r} again"),
    )  # fmt: skip


def _sides(images: Rows, key: str) -> Any:
    """Return a side of each image; NaN where missing or 0, which some tools write for unknown."""
    sides = images.numbers(key, np.nan, "a whole number >= 1", whole=True)
    return np.where(sides == 0, np.nan, sides)


def _image_ids(images: Rows, keys: Sequence[Key | None]) -> tuple[Ints, bool]:
    """Return the ids, -1 for none, and whether they are the file's: text is numbered anew."""
    if not any(type(each) is str for each in keys):
        return np.array([-1 if each is None else each for each in keys], np.int64), True
    text = [i for i, each in enumerate(keys) if type(each) is str]
    images.repaired("image-id-text", text, "id", "text: images are numbered 1, 2, 3 ...")
    return np.arange(1, len(keys) + 1, dtype=np.int64), False
