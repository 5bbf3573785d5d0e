"""The annotations of a split as far as they can be understood: what the checks look at.

Readers (:mod:`otadet.data`) stop at the first fault. A draft keeps a hole in its place (NaN, -1)
and goes on, so that all faults are found in one go; it is never trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from otadet.choices import Known, Split
from otadet.data.annotation_table import Floats, Ints
from otadet.data.files import is_inside
from otadet.data.findings import Spot
from otadet.data.image_file import read_size
from otadet.errors import InputError

Bools = npt.NDArray[np.bool_]

_THREADS = 16  # reading headers waits for the disk


@dataclass(frozen=True, eq=False)
class Draft:
    """``N`` images and ``K`` annotations in the file's order.

    Attributes:
        part: which split.
        format: of the annotations; ``own`` where the experiment reads them itself.
        path: of the annotations.
        images: folder of the images.
        names: of the class indices.
        class_ids: the file's own number of each class; empty for formats without numbers.
        image_ids: ``[N]``; -1 where there is none.
        file_names: ``N``; empty where unusable.
        sizes: ``[N, 2]`` float64 height and width; NaN where neither stated nor readable.
        stated: ``[N]`` whether the annotations state the size.
        image: ``[K]`` index of the image, -1 for an unknown one.
        labels: ``[K]`` class index, -1 for an unknown one.
        boxes: ``[K, 4]`` float64 xyxy pixels, not cut; NaN where unusable.
        ignored: ``[K]`` ignore regions.
        amodal: boxes may leave their image.
        place: file and place in it of an annotation.
        image_place: the same of an image's entry.
        has_ids: whether ``image_ids`` are the file's.
        load: opens an image of a data set that the experiment makes itself.
    """

    part: Split
    format: Known | Literal["own"]
    path: Path
    images: Path
    names: tuple[str, ...]
    class_ids: tuple[int, ...]
    image_ids: Ints
    file_names: tuple[str, ...]
    sizes: Floats
    stated: Bools
    image: Ints
    labels: Ints
    boxes: Floats
    ignored: Bools
    amodal: bool
    place: Callable[[int], tuple[Path, str]]
    image_place: Callable[[int], tuple[Path, str]]
    has_ids: bool = True
    load: Callable[[int], npt.NDArray[np.uint8]] | None = None

    def __len__(self) -> int:
        return len(self.file_names)

    @property
    def upright(self) -> bool:
        """Whether the format's annotations are of the image as EXIF turns and mirrors it."""
        return self.format == "yolo"

    def box_spot(self, row: int, got: str = "") -> Spot:
        """Return where annotation ``row`` is listed."""
        path, at = self.place(row)
        row_image = int(self.image[row])
        name = self.file_names[row_image] if row_image >= 0 else None
        return Spot(str(path), at, name, self._id(row_image), got, self.part, row_image, row)

    def image_spot(self, index: int, got: str = "") -> Spot:
        """Return where image ``index`` is listed."""
        path, at = self.image_place(index)
        name = self.file_names[index]
        return Spot(str(path), at, name, self._id(index), got, self.part, index)

    def file_spot(self, index: int, got: str = "") -> Spot:
        """Return the image's own file."""
        path = self.images / self.file_names[index]
        name = self.file_names[index]
        return Spot(str(path), "", name, self._id(index), got, self.part, index)

    def corners(self, row: int) -> str:
        """Format the box of annotation ``row``."""
        return "x1, y1, x2, y2 = " + ", ".join(f"{side:g}" for side in self.boxes[row])

    def _id(self, index: int) -> int | None:
        return int(self.image_ids[index]) if index >= 0 and self.has_ids else None


@dataclass(frozen=True, eq=False)
class Objects:
    """The ``G`` annotations that training would take as objects, ordered by image.

    Attributes:
        rows: ``[G]`` index of the annotation.
        image: ``[G]``.
        labels: ``[G]``.
        boxes: ``[G, 4]`` float64 xyxy pixels, cut at the border unless amodal.
        counts: ``[N]`` objects of each image.
    """

    rows: Ints
    image: Ints
    labels: Ints
    boxes: Floats
    counts: Ints


def usable_objects(draft: Draft) -> Objects:
    """Return the objects of a draft without everything that is faulty."""
    limit = limits(draft)
    known = (draft.image >= 0) & (draft.labels >= 0) & ~draft.ignored
    known &= np.isfinite(draft.boxes).all(axis=1) & np.isfinite(limit).all(axis=1)
    rows = np.flatnonzero(known)
    cut = np.minimum(np.maximum(draft.boxes[rows], 0), limit[rows])
    good = (cut[:, 2:] > cut[:, :2]).all(axis=1)
    boxes = draft.boxes[rows] if draft.amodal else cut
    rows, boxes = rows[good], boxes[good]
    order = np.argsort(draft.image[rows], kind="stable")
    rows, boxes = rows[order], boxes[order]
    image = draft.image[rows]
    counts = np.bincount(image, minlength=len(draft))
    return Objects(rows, image, draft.labels[rows], boxes, counts)


def limits(draft: Draft) -> Floats:
    """Return ``[K, 4]`` width, height, width, height of each annotation's image; NaN for none."""
    wide = np.concatenate([draft.sizes, np.full((1, 2), np.nan)])  # row -1: no image
    return wide[draft.image][:, [1, 0, 1, 0]]


def fill_sizes(
    images: Path, names: tuple[str, ...], sizes: Floats, upright: bool = False
) -> Floats:
    """Return the sizes, with those that are NaN read from the images' headers where possible.

    ``upright`` as :func:`~otadet.data.image_file.read_size` has it.
    """
    missing = np.flatnonzero(np.isnan(sizes).any(axis=1))
    full = sizes.copy()

    def size(index: int) -> tuple[float, float]:
        try:
            inside = is_inside(names[index])
            return read_size(images / names[index], upright) if inside else (np.nan, np.nan)
        except InputError:
            return np.nan, np.nan

    if len(missing):
        with ThreadPoolExecutor(_THREADS) as pool:
            full[missing] = np.array(list(pool.map(size, missing.tolist())), np.float64)
    return full
