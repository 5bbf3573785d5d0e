"""A draft of YOLO's text files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.data.findings import Finding, Part, Severity, Spot, found
from otadet.data.json_rows import read_text, shown
from otadet.data.layouts import SplitPaths
from otadet.data.yolo import AMODAL_LIMIT, SLACK
from otadet.data.yolo_layout import YoloFiles, find_yolo
from otadet.doctor.draft import Draft, fill_sizes
from otadet.errors import InputError

_THREADS = 8


def draft_yolo(
    place: SplitPaths, classes: Sequence[str] | None, amodal: bool
) -> tuple[Draft | None, list[Finding]]:
    """Read all of the files that can be understood, and report what cannot.

    Raises:
        InputError: folders, lists or entries of data.yaml are missing.
    """
    files = find_yolo(place)
    part = place.split
    texts, broken = _texts(files)
    lines = [
        (index, number, words)
        for index, text in enumerate(texts)
        for number, line in enumerate((text or "").split("\n"), 1)
        if (words := line.split())
    ]
    image = np.array([index for index, _, _ in lines], np.int64)
    own = files.names if files.names is not None else classes
    table, counts = _numbers([words for _, _, words in lines])
    count = len(own) if own is not None else int(np.nanmax(table[:, 0], initial=-1)) + 1
    names = tuple(own) if own is not None else tuple(map(str, range(max(count, 0))))

    def spot(row: int, got: str | None = None) -> Spot:
        index, number, words = lines[row]
        text = f"got {shown(' '.join(words))}" if got is None else got
        return Spot(
            str(files.labels[index]), f"line {number}", files.file_names[index], None, text, part,
            index, row,
        )  # fmt: skip

    boxes, findings = _boxes(table, counts, len(names), amodal, part, spot)
    findings += found(
        "annotations-unreadable", "error", part, broken, "label files that cannot be read",
        lambda i: Spot(str(files.labels[i]), "", files.file_names[i], part=part, image_index=i),
    )  # fmt: skip
    findings += _files(place, files, texts, own)
    stated = np.full((len(files.file_names), 2), np.nan)
    sizes = fill_sizes(files.images, files.file_names, stated, upright=True)
    scale = sizes[image][:, [1, 0, 1, 0]]
    good = (table[:, 0] >= 0) & (table[:, 0] < len(names)) & (table[:, 0] % 1 == 0)
    draft = Draft(
        part=part,
        format="yolo",
        path=place.annotations,
        images=files.images,
        names=names,
        class_ids=tuple(range(len(names))),
        image_ids=np.arange(1, len(files.file_names) + 1),
        file_names=files.file_names,
        sizes=sizes,
        stated=np.zeros(len(stated), bool),
        image=image,
        labels=np.where(good, np.nan_to_num(table[:, 0]), -1).astype(np.int64),
        boxes=boxes * scale,
        ignored=np.zeros(len(lines), bool),
        amodal=amodal,
        place=lambda i: (files.labels[lines[i][0]], f"line {lines[i][1]}"),
        image_place=lambda i: (files.labels[i], ""),
        has_ids=False,
    )
    return draft, findings


def _texts(files: YoloFiles) -> tuple[list[str | None], list[int]]:
    """The text of each label file, ``None`` where there is none, and which cannot be read."""

    def text(path: Path) -> str | InputError | None:
        try:
            return read_text(path) if path.is_file() else None
        except InputError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        read = list(pool.map(text, files.labels))
    broken = [i for i, each in enumerate(read) if isinstance(each, InputError)]
    return ["" if isinstance(each, InputError) else each for each in read], broken


def _numbers(lines: list[list[str]]) -> tuple[Floats, Ints]:
    """Return class and box of each line, and the number of words of each line.

    Class and box ``[K, 5]`` (centre and sides), for a polygon its upright hull; NaN where a line
    has none. The number of words is 0 where one is not a number.
    """
    counts = np.array([len(words) for words in lines], np.int64)
    table = np.full((len(lines), 5), np.nan)
    for index, words in enumerate(lines):
        try:
            values = [float(word) for word in words]
        except ValueError:
            counts[index] = 0
            continue
        if not np.isfinite(values).all():
            counts[index] = 0
        elif len(values) == 5:
            table[index] = values
        elif len(values) >= 7 and len(values) % 2:
            x, y = values[1::2], values[2::2]
            low, high = (min(x), min(y)), (max(x), max(y))
            middle = [(a + b) / 2 for a, b in zip(low, high)]
            table[index] = [values[0], *middle, *(b - a for a, b in zip(low, high))]
    return table, counts


def _boxes(
    table: Floats,
    counts: Ints,
    num_classes: int,
    amodal: bool,
    part: Part,
    spot: Callable[[int], Spot],
) -> tuple[Floats, list[Finding]]:
    """Boxes ``[K, 4]`` xyxy as shares of the sides, and what is wrong with the lines."""
    formed = (counts == 5) | ((counts >= 7) & (counts % 2 == 1))
    label, half = table[:, 0], table[:, 3:] / 2
    boxes = np.concatenate([table[:, 1:3] - half, table[:, 1:3] + half], axis=1)
    known = (label % 1 == 0) & (label >= 0) & (label < num_classes)
    negative = (table[:, 3:] < 0).any(axis=1)
    low, high = (-AMODAL_LIMIT, AMODAL_LIMIT) if amodal else (-SLACK, 1 + SLACK)
    values = np.where((counts == 5)[:, None], table[:, 1:], boxes)
    out = ((values < low) | (values > high)).any(axis=1) & ~negative
    hint = ""
    if num_classes and (wrong := label[formed & ~known]).size and (wrong == num_classes).all():
        hint = " (classes count from 1 here?)"
    error: Severity = "error"
    findings: list[Finding] = []
    for code, mask, text in (
        ("value-invalid", ~formed, "expected 5 numbers (class x y width height) or a polygon"),
        ("class-unknown", formed & ~known, f"expected a class from 0 to {num_classes - 1}{hint}"),
        ("box-invalid", negative, "expected width and height of at least 0"),
        ("box-not-normalised", out, "expected shares of the image's sides, 0 to 1, not pixels"),
    ):
        findings += found(code, error, part, np.flatnonzero(mask), text, spot)
    boxes[negative | out] = np.nan
    return boxes, findings


def _files(
    place: SplitPaths, files: YoloFiles, texts: list[str | None], own: Sequence[str] | None
) -> list[Finding]:
    part = place.split
    missing = [i for i, text in enumerate(texts) if text is None]
    # Most of them: a folder of another name rather than images without objects.
    many: Severity = "warning" if 2 * len(missing) > len(texts) else "note"
    severity: Severity = "error" if len(missing) == len(texts) else many
    findings = found(
        "no-label-file", severity, part, missing, "images without a label file",
        lambda i: Spot(
            str(files.labels[i]), "", files.file_names[i], None, "not found", part, i
        ),
    )  # fmt: skip
    unused = files.unused_labels()
    findings += found(
        "label-without-picture", "warning", part, range(len(unused)),
        "label files without an image of the same name",
        lambda i: Spot(str(unused[i]), got="no image", part=part),
    )  # fmt: skip
    if own is None:
        findings += found(
            "classes-missing", "error", part, [0], "no file names the classes",
            lambda _: Spot(str(place.root), got="neither data.yaml nor classes.txt", part=part),
        )  # fmt: skip
    return findings
