"""Formats that are converted but not trained on, read by the library datumaro.

https://github.com/open-edge-platform/datumaro
"""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otadet.choices import Foreign, Split
from otadet.data.file_names import resolve_names
from otadet.data.findings import Finding, Spot, found
from otadet.data.folder_tree import Tree
from otadet.data.records import Records
from otadet.data.split_words import split_of
from otadet.data.text_file import read_text
from otadet.errors import InputError

IMPORTERS: Mapping[Foreign, str] = {
    "cvat": "cvat", "datumaro": "datumaro", "kitti": "kitti_detection",
    "open-images": "open_images", "vott": "vott_json", "wider-face": "wider_face",
}  # fmt: skip
"""datumaro's name of each format."""

_AREAS = frozenset({"bbox", "rotated_bbox", "polygon", "mask", "ellipse"})
_WHOLE_IMAGE = frozenset({"label", "caption"})
_IGNORED = ("is_group_of", "is_crowd", "iscrowd", "ignored", "invalid")
_DONT_CARE = "DontCare"  # KITTI's regions without labels
_CVAT_LOST = re.compile(r"<(ellipse|cuboid|skeleton)\b")


def read_foreign(
    data_dir: Path, source: Foreign, allow_predictions: bool = False
) -> dict[Split, Records]:
    """Read the splits of a data set; what states no split is for training.

    An object is a box, or the one around a rotated box, a polygon or a mask. KITTI's ``DontCare``,
    Open Images' groups and WIDER's invalid faces are ignore regions.

    Raises:
        InputError: datumaro is not installed, or it cannot read the data.
    """
    dataset, names = _imported(data_dir, source)
    items: dict[Split, list[Any]] = defaultdict(list)
    for item in sorted(dataset, key=lambda each: str(each.id)):
        split = split_of(item.subset) or "train"
        if split != "test":
            items[split].append(item)
    whole = _labels_of(dataset, _WHOLE_IMAGE) - _labels_of(dataset, _AREAS)
    listed = [n for i, n in enumerate(names) if i not in whole and n != _DONT_CARE]
    return {
        split: _records(data_dir, split, own, names, listed, allow_predictions)
        for split, own in items.items()
    }


def _imported(data_dir: Path, source: Foreign) -> tuple[Any, list[str]]:
    """Return datumaro's data set and the names of its labels."""
    try:
        import datumaro
        from datumaro.components.errors import DatumaroError
    except ImportError:
        raise InputError(
            f"--from {source}: expected the package datumaro; pip install 'otadet[formats]'"
        ) from None
    if not data_dir.is_dir():
        raise InputError(f"data_dir {data_dir}: folder not found")
    if source == "cvat":
        _check_cvat(data_dir)
    try:
        dataset = datumaro.Dataset.import_from(str(data_dir), IMPORTERS[source])
        categories = dataset.categories().get(datumaro.AnnotationType.label, [])
    except DatumaroError as error:
        why = " ".join(str(error.__cause__ or error).split())
        raise InputError(f"{data_dir}: datumaro cannot read it as {source}: {why}") from error
    names = [category.name for category in categories]
    shown = _display_names(data_dir) if source == "open-images" else {}
    return dataset, [shown.get(name, name) for name in names]


def _check_cvat(data_dir: Path) -> None:
    """Refuse shapes that datumaro drops without a word."""
    for path in Tree.of(data_dir).ending_in(".xml"):
        lost = Counter(_CVAT_LOST.findall(read_text(data_dir / path)))
        if lost:
            listed = ", ".join(f"{count} <{shape}>" for shape, count in lost.items())
            raise InputError(
                f"{data_dir / path}: datumaro does not read {listed}; export COCO from CVAT"
            )


def _display_names(data_dir: Path) -> dict[str, str]:
    """Open Images' names of classes by their codes, such as ``/m/01yrx``."""
    for name in Tree.of(data_dir).ending_in(".csv"):
        if "class-descriptions" in name:
            rows = csv.reader(read_text(data_dir / name).splitlines())
            return {row[0]: row[1] for row in rows if len(row) == 2}
    return {}


def _labels_of(dataset: Any, kinds: frozenset[str]) -> set[int]:
    return {each.label for item in dataset for each in item.annotations if each.type.name in kinds}


def _records(
    data_dir: Path, split: Split, items: Sequence[Any], names: Sequence[str],
    listed: Sequence[str], allow_predictions: bool,
) -> Records:  # fmt: skip
    images, file_names = _files(data_dir, items)
    placed = [
        (index, number, each)
        for index, item in enumerate(items)
        for number, each in enumerate(item.annotations, 1)
        if each.type.name not in _WHOLE_IMAGE and not each.attributes.get("outside")
    ]
    rows = [row for row in placed if row[2].type.name in _AREAS]
    others = [row for row in placed if row[2].type.name not in _AREAS]
    with warnings.catch_warnings():  # datumaro's masks are made as numpy 1 had it
        warnings.simplefilter("ignore", DeprecationWarning)
        xywh = np.array([each.get_bbox() for _, _, each in rows], np.float64).reshape(-1, 4)
    xywh[~np.isfinite(xywh).all(axis=1) | (xywh[:, 2:] < 0).any(axis=1)] = np.nan
    labels = [_label(each, names) for _, _, each in rows]
    index_of = {name: index for index, name in enumerate(listed)}
    sizes = [item.media.size if _has_size(item) else (np.nan, np.nan) for item in items]
    records = Records(
        split=split,
        format="own",
        path=data_dir,
        images=images,
        names=tuple(listed),
        image_ids=np.arange(1, len(items) + 1),
        file_names=file_names,
        sizes=np.array(sizes, np.float64).reshape(-1, 2),
        image=np.array([index for index, _, _ in rows], np.int64),
        labels=np.array([index_of.get(name, -1) for name in labels], np.int64),
        boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        ignored=np.array(
            [n == _DONT_CARE or _is_ignored(each) for n, (_, _, each) in zip(labels, rows)], bool
        ),
        place=lambda row: (data_dir, f"{items[rows[row][0]].id}, object {rows[row][1]}"),
        image_place=lambda i: (data_dir, items[i].id),
        has_ids=False,
    )
    return records.with_findings(_findings(records, rows, others, labels, allow_predictions))


def _files(data_dir: Path, items: Sequence[Any]) -> tuple[Path, tuple[str, ...]]:
    """The folder of the images, and their names in it."""
    paths = [getattr(item.media, "path", None) or item.id for item in items]
    stated = [os.path.relpath(p, data_dir) if Path(p).is_absolute() else p for p in paths]
    names = resolve_names(stated, [data_dir]).names
    folder = os.path.commonpath([os.path.dirname(name) for name in names])  # noqa: PTH120
    return data_dir / folder, tuple(name[len(folder) :].lstrip("/") for name in names)


def _has_size(item: Any) -> bool:
    return bool(getattr(item.media, "has_size", False))


def _label(each: Any, names: Sequence[str]) -> str:
    known = each.label is not None and 0 <= each.label < len(names)
    return names[each.label] if known else ""


def _is_ignored(each: Any) -> bool:
    return any(each.attributes.get(key) in (True, 1, "1") for key in _IGNORED)


def _findings(
    records: Records, rows: Sequence[tuple[int, int, Any]], others: Sequence[tuple[int, int, Any]],
    labels: Sequence[str], allow_predictions: bool,
) -> list[Finding]:  # fmt: skip
    split = records.split

    def other(i: int) -> Spot:
        index, number, each = others[i]
        spot = records.image_spot(index, each.type.name)
        return Spot(spot.file, f"{spot.at}, object {number}", spot.image, None, spot.got, split)

    scores = [each.attributes.get("score") for _, _, each in rows]
    guessed = [i for i, score in enumerate(scores) if score not in (None, 1)]
    return [
        *found("box-invalid", "error", split, np.flatnonzero(np.isnan(records.boxes[:, 0])),
               "expected finite numbers, width and height of at least 0", records.box_spot),
        *found("class-unknown", "error", split, [i for i, name in enumerate(labels) if not name],
               "expected a class that the data set lists", records.box_spot),
        *found("predictions", "note" if allow_predictions else "error", split, guessed,
               "a confidence: these are predictions, not labels",
               lambda i: records.box_spot(i, f"got {scores[i]:g}")),
        *found("shape-no-area", "note", split, range(len(others)),
               "points and lines, which have no box: left out", other),
    ]  # fmt: skip
