"""YOLO's text files: one an image, one object a line, shares of the image's width and height.

class x y width height          centre and sides
class x1 y1 x2 y2 x3 y3 ...     a polygon, taken as the box around it
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from otadet.choices import Unreadable
from otadet.data.annotation_table import AnnotationTable, Floats, Ints
from otadet.data.build_table import Columns, build_table, class_order
from otadet.data.image_sizes import read_sizes
from otadet.data.json_rows import read_text, shown
from otadet.data.yolo_layout import YoloFiles
from otadet.errors import InputError

_THREADS = 8
SLACK = 1e-3  # shares that tools round beyond 1
AMODAL_LIMIT = 10.0


@dataclass(frozen=True)
class _Lines:
    """The lines of all label files that are not empty.

    Attributes:
        files: the label files.
        image: ``[K]`` index of the file.
        number: ``[K]`` line in it.
        words: ``K`` lists.
    """

    files: tuple[Path, ...]
    image: Ints
    number: list[int]
    words: list[list[str]]

    def place(self, index: int) -> str:
        return f"{self.files[int(self.image[index])]}: line {self.number[index]}"

    def fault(self, index: int, expected: str) -> InputError:
        got = shown(" ".join(self.words[index]))
        return InputError(f"{self.place(index)}: expected {expected}, got {got}")


def read_yolo(
    files: YoloFiles,
    class_names: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    amodal: bool = False,
    unreadable: Unreadable = "stop",
) -> tuple[AnnotationTable, dict[str, int]]:
    """Read and check YOLO's label files.

    An image without a label file has no objects; those are counted. Sizes come from the
    images' headers, upright as the labels were drawn.

    Args:
        files: of :func:`~otadet.data.yolo_layout.find_yolo`.
        class_names: the wanted order of classes; the data's are matched by name.
        names: of the class indices, where no file says them.
        amodal: keep boxes that leave the image whole.
        unreadable: as in :class:`~otadet.data.files.FileDataset`.

    Returns:
        The table, and how much was left out; ``no_label_file`` counts images without one. Image
        ids are 1, 2, 3 ...

    Raises:
        InputError: names the file, the line and what is wrong.
    """
    own = files.names if files.names is not None else names
    if own is None:
        raise InputError(
            f"{files.images}: expected the names of the classes in data.yaml or classes.txt in "
            "data_dir, or in class_names=a,b,c; found no names"
        )
    lines, missing = _read(files)
    indices, shares = _numbers(lines, len(own), amodal)
    wanted = list(own) if class_names is None else list(class_names)
    places = [str(label) for label in files.labels]
    sizes, bad = read_sizes(files.images, files.file_names, places, unreadable, upright=True)
    labels = class_order(own, wanted, str(files.images))
    scale = sizes[lines.image][:, [1, 0, 1, 0]]
    columns = Columns(
        image=lines.image,
        labels=labels[indices],
        boxes=shares * scale,
        areas=np.full(len(indices), np.nan),
        ignored=np.zeros(len(indices), bool),
        path=files.images,
        place=lines.place,
    )
    ids = np.arange(1, len(files.file_names) + 1, dtype=np.int64)
    table, skipped = build_table(wanted, ids, files.file_names, sizes, columns, amodal)
    table = replace(table, upright=True)
    return table, {**skipped, "no_label_file": missing, "unreadable": bad}


def _read(files: YoloFiles) -> tuple[_Lines, int]:
    """All lines, and how many label files are not there."""

    def text(path: Path) -> str | None:
        return read_text(path) if path.is_file() else None

    with ThreadPoolExecutor(_THREADS) as pool:
        texts = list(pool.map(text, files.labels))
    missing = sum(each is None for each in texts)
    if missing == len(texts):
        raise InputError(
            f"{files.labels[0]}: label file not found, and none of the {len(texts)} images in "
            f"{files.images} has one; expected labels/ beside images/, with the same names"
        )
    image: list[int] = []
    number: list[int] = []
    words: list[list[str]] = []
    for index, each in enumerate(texts):
        for row, line in enumerate((each or "").split("\n"), 1):
            parts = line.split()
            if parts:
                image.append(index)
                number.append(row)
                words.append(parts)
    return _Lines(files.labels, np.array(image, np.int64), number, words), missing


def _numbers(lines: _Lines, num_classes: int, amodal: bool) -> tuple[Ints, Floats]:
    """Class indices ``[K]`` and boxes ``[K, 4]`` xyxy as shares of the image."""
    counts = np.array([len(parts) for parts in lines.words], np.int64)
    good = (counts == 5) | ((counts >= 7) & (counts % 2 == 1))
    if not good.all():
        raise lines.fault(
            int(np.argmin(good)), "5 columns (class x y width height) or a class and a polygon"
        )
    values = _floats(lines)
    ends = np.cumsum(counts)
    first = ends - counts
    good = (values[first] % 1 == 0) & (values[first] >= 0) & (values[first] < num_classes)
    if not good.all():
        raise lines.fault(int(np.argmin(good)), f"a class index from 0 to {num_classes - 1}")
    boxes = np.zeros((len(counts), 4))
    plain = np.flatnonzero(counts == 5)
    cxcywh = values[first[plain, None] + np.arange(1, 5)]
    half = cxcywh[:, 2:] / 2
    boxes[plain] = np.concatenate([cxcywh[:, :2] - half, cxcywh[:, :2] + half], axis=1)
    negative = (cxcywh[:, 2:] < 0).any(axis=1)
    if negative.any():
        raise lines.fault(int(plain[np.argmax(negative)]), "width and height of at least 0")
    for index in np.flatnonzero(counts != 5).tolist():
        corners = values[first[index] + 1 : ends[index]].reshape(-1, 2)
        boxes[index] = (*corners.min(axis=0), *corners.max(axis=0))
    _check_range(lines, values, first, ends, amodal)
    return values[first].astype(np.int64), boxes


def _floats(lines: _Lines) -> Floats:
    try:
        values = np.array(list(map(float, chain.from_iterable(lines.words))), np.float64)
        if np.isfinite(values).all():
            return values
    except ValueError:
        pass
    for index, parts in enumerate(lines.words):
        try:
            if np.isfinite([float(word) for word in parts]).all():
                continue
        except ValueError:
            pass
        raise lines.fault(index, "finite numbers")
    raise AssertionError("a number that is none was found and then not")


def _check_range(lines: _Lines, values: Floats, first: Ints, ends: Ints, amodal: bool) -> None:
    low, high = (-AMODAL_LIMIT, AMODAL_LIMIT) if amodal else (-SLACK, 1 + SLACK)
    bad = (values < low) | (values > high)
    bad[first] = False  # the class
    if bad.any():
        index = int(np.searchsorted(ends, np.argmax(bad), side="right"))
        hint = "" if amodal else " (amodal=true lets boxes leave the image)"
        raise lines.fault(index, f"shares of the image's sides, 0 to 1, not pixels{hint}")
