"""YOLO's text files: one an image, one object a line, shares of the image's width and height.

class x y width height              centre and sides
class x1 y1 x2 y2 x3 y3 ...         a polygon, taken as the box around it
class x y width height px py ...    box and key points, where data.yaml states their kpt_shape
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.data.findings import Finding, Severity, Spot, found
from otadet.data.layouts import SplitPaths
from otadet.data.records import Bools, ReadOptions, Records
from otadet.data.text_file import Text, encoding_findings, numbers, read_encoded, shown
from otadet.data.yolo_layout import YoloFiles, find_yolo
from otadet.errors import InputError

_THREADS = 8
_SLACK = 1e-3  # shares that tools round beyond 1
_AMODAL_LIMIT = 10.0
_CORNERS = 9  # columns of a class and four corners, as rotated boxes have
_ENOUGH = 3  # rows from which key points can be told from polygons


def read_yolo(place: SplitPaths, how: ReadOptions) -> Records:
    """Read YOLO's label files.

    An image without a label file has no objects; those are counted.

    Raises:
        InputError: folders, lists or entries of data.yaml are missing.
    """
    files, split = find_yolo(place), place.split
    texts, broken = _texts(files)
    rows = _rows([text.content if text else "" for text in texts])
    own = files.names if files.names is not None else how.classes
    names = tuple(own) if own is not None else tuple(map(str, range(rows.largest_class() + 1)))

    def spot(row: int) -> Spot:
        index = int(rows.image[row])
        got = f"got {shown(' '.join(rows.words[row]))}"
        return Spot(
            str(files.labels[index]), f"line {rows.number[row]}", files.file_names[index], None,
            got, split, index, row,
        )  # fmt: skip

    def file_spot(index: int, got: str = "") -> Spot:
        return Spot(
            str(files.labels[index]), "", files.file_names[index], None, got, split, index
        )  # fmt: skip

    boxes, labels, faults = _check(rows, len(names), files.key_points, how)
    findings = [
        each
        for code, severity, bad, text in faults
        for each in found(code, severity, split, np.flatnonzero(bad), text, spot)
    ]
    findings += found(
        "annotations-unreadable", "error", split, broken, "label files that cannot be read",
        file_spot,
    )  # fmt: skip
    findings += encoding_findings(
        [text.encoding if text else "" for text in texts], split, file_spot
    )
    findings += files.findings
    findings += _file_findings(place, files, [text is None for text in texts], own is None)
    return Records(
        split=split,
        format="yolo",
        path=place.annotations,
        images=files.images,
        names=names,
        class_ids=tuple(range(len(names))),
        image_ids=np.arange(1, len(files.file_names) + 1),
        file_names=files.file_names,
        sizes=np.full((len(files.file_names), 2), np.nan),
        image=rows.image,
        labels=labels,
        boxes=boxes,
        ignored=np.zeros(len(labels), bool),
        place=lambda i: (files.labels[rows.image[i]], f"line {rows.number[i]}"),
        image_place=lambda i: (files.labels[i], ""),
        findings=tuple(findings),
        relative=True,
        amodal=bool(how.amodal),
        has_ids=False,
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """The lines of all label files that are not empty.

    Attributes:
        image: ``[K]`` index of the file.
        number: ``K`` lines in it.
        words: ``K`` lists.
        counts: ``[K]`` words of each line; 0 where one is not a finite number.
        first: ``[K]`` place of each line's class in ``values``.
        values: numbers of all lines, one after the other; 0 for what is none.
    """

    image: Ints
    number: list[int]
    words: list[list[str]]
    counts: Ints
    first: Ints
    values: Floats

    def largest_class(self) -> int:
        classes = self.values[self.first]
        return int(classes[classes < 1e6].max(initial=-1))

    def column(self, index: int) -> Floats:
        """Return word ``index`` of every line; 0 for lines that are shorter."""
        there = self.counts > index
        return np.where(there, self.values[np.where(there, self.first + index, 0)], 0.0)


def _texts(files: YoloFiles) -> tuple[list[Text | None], list[int]]:
    """Return the text of each label file, ``None`` for none, and which cannot be read."""

    def text(path: Path) -> Text | InputError | None:
        try:
            return read_encoded(path) if os.path.lexists(path) else None  # no link to nothing
        except InputError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        read = list(pool.map(text, files.labels, chunksize=64))
    broken = [i for i, each in enumerate(read) if isinstance(each, InputError)]
    return [Text("", "") if isinstance(each, InputError) else each for each in read], broken


def _rows(texts: Sequence[str]) -> _Rows:
    image: list[int] = []
    number: list[int] = []
    words: list[list[str]] = []
    for index, text in enumerate(texts):
        for row, line in enumerate(text.split("\n"), 1):
            parts = line.split()
            if parts:
                image.append(index)
                number.append(row)
                words.append(parts)
    lengths = np.array([len(parts) for parts in words], np.int64)
    first = np.cumsum(lengths) - lengths
    values = numbers(list(chain.from_iterable(words)))
    finite = np.isfinite(values)
    sound = np.logical_and.reduceat(finite, first) if len(first) else np.zeros(0, bool)
    return _Rows(
        np.array(image, np.int64), number, words, np.where(sound, lengths, 0), first,
        np.where(finite, values, 0.0) if len(values) else np.zeros(1),
    )  # fmt: skip


_Fault = tuple[str, Severity, Bools, str]
"""Code, severity, ``[K]`` which lines, and the text of a finding."""


def _check(
    rows: _Rows, num_classes: int, key_points: tuple[int, int] | None, how: ReadOptions
) -> tuple[Floats, Ints, list[_Fault]]:
    """Return boxes ``[K, 4]`` xyxy as shares, labels ``[K]``, and what is wrong with the lines."""
    counts = rows.counts
    pose = (
        counts == 5 + key_points[0] * key_points[1] if key_points else np.zeros(len(counts), bool)
    )
    predicted = ~pose & _are_predictions(rows)
    plain = (counts == 5) | pose | predicted
    polygon = ~plain & (counts >= 7) & (counts % 2 == 1)
    formed = plain | polygon
    label = rows.column(0)
    known = (label % 1 == 0) & (label >= 0) & (label < num_classes)
    table = np.stack([rows.column(i) for i in range(1, 5)], axis=1)
    half = table[:, 2:] / 2
    boxes = np.concatenate([table[:, :2] - half, table[:, :2] + half], axis=1)
    boxes[polygon] = _hulls(rows, polygon)
    negative = plain & (table[:, 2:] < 0).any(axis=1)
    low, high = (-_AMODAL_LIMIT, _AMODAL_LIMIT) if how.amodal else (-_SLACK, 1 + _SLACK)
    shares = np.where(plain[:, None], table, boxes)
    out = formed & ~negative & ((shares < low) | (shares > high)).any(axis=1)
    ambiguous = polygon & _may_be_pose(rows, polygon, table)
    boxes[~formed | negative | out | ambiguous] = np.nan
    strange = formed & ~known
    one_off = strange.any() and bool((label[strange] == num_classes).all())
    amodal = "" if how.amodal else " (amodal=true lets boxes leave the image)"
    faults: list[_Fault] = [
        ("value-invalid", "error", counts == 0, "expected finite numbers"),
        ("value-invalid", "error", ~formed & (counts > 0),
         "expected 5 numbers (class x y width height) or a class and a polygon"
         + ("" if key_points else "; key points need kpt_shape in data.yaml")),
        ("class-unknown", "error", strange, f"expected a class index from 0 to {num_classes - 1}"
         + (" (classes count from 1 here?)" if one_off else "")),
        ("box-invalid", "error", negative, "expected width and height of at least 0"),
        ("box-not-normalised", "error", out,
         f"expected shares of the image's sides, 0 to 1, not pixels{amodal}"),
        ("rows-ambiguous", "error", ambiguous,
         f"expected 'kpt_shape' in data.yaml: the {counts.max(initial=0)} numbers of every line "
         "may be a box and key points, or a polygon"),
        ("key-points", "note", pose, "box and key points: the box is taken"),
        ("predictions", "note" if how.allow_predictions else "error", predicted,
         "numbers behind the box are a confidence: these are predictions, not labels"),
    ]  # fmt: skip
    return boxes, np.where(formed & known, label, -1).astype(np.int64), faults


def _are_predictions(rows: _Rows) -> Bools:
    """Return ``[K]`` lines of a box and a confidence, maybe with a track's number behind."""
    tracks = rows.counts == 7
    confidence = (rows.column(5) >= 0) & (rows.column(5) <= 1)
    tracked = bool((rows.column(6)[tracks] % 1 == 0).all() and confidence[tracks].all())
    return np.asarray((rows.counts == 6) | (tracks & tracked), bool)


def _may_be_pose(rows: _Rows, polygon: Bools, table: Floats) -> bool:
    """Return whether all lines may be a box and key points in it rather than polygons.

    A set of polygons has different numbers of corners, or its first two are no box around the
    others; rotated boxes have four corners and are by far more frequent than two key points.
    """
    counts = rows.counts[polygon]
    if len(counts) < _ENOUGH or not polygon.all() or (counts != counts[0]).any():
        return False
    if counts[0] == _CORNERS:
        return False
    half = table[:, 2:] / 2 * 1.1
    low, high = table[:, :2] - half, table[:, :2] + half
    columns = np.stack([rows.column(i) for i in range(5, int(counts[0]))], axis=1)
    for dims in (2, 3):
        if columns.shape[1] % dims:
            continue
        points = columns.reshape(len(counts), -1, dims)
        seen = np.isin(points[..., 2], (0, 1, 2)).all() if dims == 3 else True
        xy = points[..., :2]
        inside = ((xy >= low[:, None]) & (xy <= high[:, None])).all(axis=2)
        if seen and (inside | (xy == 0).all(axis=2)).all():
            return True
    return False


def _hulls(rows: _Rows, polygon: Bools) -> Floats:
    """Return ``[P, 4]`` xyxy around the polygons of the lines ``polygon [K]``."""
    lines = np.flatnonzero(polygon)
    if not len(lines):
        return np.zeros((0, 4))
    corners = (rows.counts[lines] - 1) // 2
    start = np.cumsum(corners) - corners
    within = np.arange(corners.sum()) - np.repeat(start, corners)
    place = np.repeat(rows.first[lines] + 1, corners) + 2 * within
    points = np.stack([rows.values[place], rows.values[place + 1]], axis=1)
    low, high = np.minimum.reduceat(points, start), np.maximum.reduceat(points, start)
    return np.concatenate([low, high], axis=1)


def _file_findings(
    place: SplitPaths, files: YoloFiles, missing: Sequence[bool], nameless: bool
) -> Iterator[Finding]:
    """Findings of label files without image, images without label file, and missing names."""
    split = place.split
    without = np.flatnonzero(np.array(missing))
    # Most of them: a folder of another name rather than images without objects.
    many: Severity = "warning" if 2 * len(without) > len(missing) else "note"
    severity: Severity = "error" if len(without) == len(missing) else many
    text = "images without a label file"
    if severity == "error":
        text += ": expected labels/ beside images/, with the same names"

    def spot(index: int) -> Spot:
        label = str(files.labels[index])
        return Spot(label, "", files.file_names[index], None, "not found", split, index)

    yield from found("no-label-file", severity, split, without, text, spot)
    unused = files.unused_labels()
    yield from found(
        "label-without-picture", "warning", split, range(len(unused)),
        "label files without an image of the same name",
        lambda i: Spot(str(unused[i]), got="no image", part=split),
    )  # fmt: skip
    if nameless:
        spots = (Spot(str(place.root), got="neither data.yaml nor classes.txt", part=split),)
        text = "expected the names of the classes in data.yaml or classes.txt in data_dir, or in "
        text += "class_names=a,b,c"
        yield Finding("classes-missing", "error", split, 1, text, spots)
