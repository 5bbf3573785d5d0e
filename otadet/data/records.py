"""What a reader returns: the records of one split in columns, and the findings met on the way.

A reader never stops at a faulty record. It keeps a hole in its place (NaN, -1, an empty name),
adds a finding and goes on, so that all faults are found in one go. Training refuses records with a
finding of severity ``error``; the doctor shows the findings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from otadet.choices import Difficult, Known, OdgtBox, Split, Unreadable
from otadet.data.annotation_table import Floats, Ints
from otadet.data.findings import Finding, Spot, errors_text, found
from otadet.data.image_options import PLAIN, ImageOptions
from otadet.data.text_file import shown
from otadet.errors import InputError

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading annotations.

    Attributes:
        class_names: the classes of a checkpoint, in its order; those of the data are matched by
            name and may be fewer.
        classes: names and order of the classes where there is no checkpoint. COCO and YOLO
            files name theirs; none takes them, and elsewhere those found, by the alphabet.
        odgt_box: which box of CrowdHuman's.
        difficult: what VOC's difficult objects are.
        amodal: boxes are those of whole objects and are cut nowhere; none: CrowdHuman's ``fbox``.
        unreadable: see :class:`~otadet.data.files.FileDataset`.
        strict: repairs are errors.
        allow_predictions: rows with a confidence are accepted; it is dropped.
        pixels: pages, channels and stretch of the image files.
        decoded: see :class:`~otadet.data.files.FileDataset`.
    """

    class_names: Sequence[str] | None = None
    classes: Sequence[str] | None = None
    odgt_box: OdgtBox = "fbox"
    difficult: Difficult = "ignore"
    amodal: bool | None = None
    unreadable: Unreadable = "stop"
    strict: bool = False
    allow_predictions: bool = False
    pixels: ImageOptions = PLAIN
    decoded: Path | None = None


@dataclass(frozen=True, eq=False)
class Records:
    """``N`` images and ``K`` annotations in the file's order.

    Attributes:
        split: which split.
        format: of the annotations; ``own`` where the experiment reads them itself.
        path: of the annotations, a file or a folder.
        images: the folder that ``file_names`` are relative to.
        names: of the class indices.
        image_ids: ``[N]``; -1 where there is none.
        file_names: ``N``; empty where unusable.
        sizes: ``[N, 2]`` float64 height and width; NaN where not stated.
        image: ``[K]`` index of the image, -1 for an unknown one.
        labels: ``[K]`` class index, -1 for an unknown one, or for every class where ignored.
        boxes: ``[K, 4]`` float64 xyxy pixels, not cut; NaN where unusable. Where ``relative``
            they are shares of the image's width and height.
        ignored: ``[K]`` ignore regions.
        place: file and place in it of an annotation.
        image_place: the same of an image's entry.
        class_ids: the file's own number of each class; empty for formats without numbers.
        areas: ``[K]`` float64 square pixels, NaN for that of the box; ``None`` for formats without.
        findings: of reading.
        relative: boxes are shares of the image's sides.
        amodal: boxes are those of whole objects and may leave their image.
        has_ids: whether ``image_ids`` are the file's.
        load: opens an image of a data set that the experiment makes itself.
    """

    split: Split
    format: Known | Literal["own"]
    path: Path
    images: Path
    names: tuple[str, ...]
    image_ids: Ints
    file_names: tuple[str, ...]
    sizes: Floats
    image: Ints
    labels: Ints
    boxes: Floats
    ignored: Bools
    place: Callable[[int], tuple[Path, str]]
    image_place: Callable[[int], tuple[Path, str]]
    class_ids: tuple[int, ...] = ()
    areas: Floats | None = None
    findings: tuple[Finding, ...] = ()
    relative: bool = False
    amodal: bool = False
    has_ids: bool = True
    load: Callable[[int], npt.NDArray[np.uint8]] | None = None

    def __len__(self) -> int:
        return len(self.file_names)

    def box_spot(self, row: int, got: str = "") -> Spot:
        """Return where annotation ``row`` is listed."""
        path, at = self.place(row)
        row_image = int(self.image[row])
        name = self.file_names[row_image] if row_image >= 0 else None
        return Spot(str(path), at, name, self._id(row_image), got, self.split, row_image, row)

    def image_spot(self, index: int, got: str = "") -> Spot:
        """Return where image ``index`` is listed."""
        path, at = self.image_place(index)
        name = self.file_names[index]
        return Spot(str(path), at, name, self._id(index), got, self.split, index)

    def file_spot(self, index: int, got: str = "") -> Spot:
        """Return the image's own file."""
        name = self.file_names[index]
        return Spot(str(self.images / name), "", name, self._id(index), got, self.split, index)

    def corners(self, row: int) -> str:
        """Format the box of annotation ``row``."""
        return "x1, y1, x2, y2 = " + ", ".join(f"{side:g}" for side in self.boxes[row])

    def only(self, keep: Bools) -> Records:
        """Keep only the images where ``keep [N]`` holds, with their annotations.

        Annotations of unknown images stay, and findings, without their indices where those go.
        """
        images = np.flatnonzero(keep)
        new = np.full(len(self) + 1, -1, np.int64)  # the last is the place of unknown images
        new[images] = np.arange(len(images))
        rows = np.flatnonzero((self.image < 0) | (new[self.image] >= 0))
        new_rows = np.full(len(self.image) + 1, -1, np.int64)
        new_rows[rows] = np.arange(len(rows))
        place, image_place = self.place, self.image_place

        def moved(spot: Spot) -> Spot:
            return replace(
                spot,
                image_index=int(new[spot.image_index]),
                box_index=int(new_rows[spot.box_index]),
            )

        return replace(
            self,
            findings=tuple(
                replace(each, spots=tuple(map(moved, each.spots))) for each in self.findings
            ),
            image_ids=self.image_ids[images],
            file_names=tuple(self.file_names[i] for i in images.tolist()),
            sizes=self.sizes[images],
            image=new[self.image[rows]],
            labels=self.labels[rows],
            boxes=self.boxes[rows],
            areas=None if self.areas is None else self.areas[rows],
            ignored=self.ignored[rows],
            place=lambda row: place(int(rows[row])),
            image_place=lambda index: image_place(int(images[index])),
        )

    def sound(self) -> Records:
        """Return these records; InputError with the first ten where there are errors."""
        errors = [each for each in self.findings if each.severity == "error"]
        if errors:
            raise InputError(errors_text(errors))
        return self

    def with_findings(self, findings: Sequence[Finding]) -> Records:
        """Add findings."""
        return replace(self, findings=(*self.findings, *findings))

    def reversed_corners(self) -> list[Finding]:
        """Return the finding of boxes that end before they begin by more than a rounding."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return found(
            "box-invalid", "error", self.split, np.flatnonzero((sides < -1).any(axis=1)),
            "expected corners with x1 <= x2 and y1 <= y2, not width and height",
            lambda row: self.box_spot(row, f"got {self.corners(row)}"),
        )  # fmt: skip

    def unknown_classes(self, name: Callable[[int], str]) -> list[Finding]:
        """Return the finding of objects whose class is not among the names of the data.

        Args:
            name: returns the class that annotation ``row`` states.
        """
        unknown = [i for i in np.flatnonzero((self.labels < 0) & ~self.ignored).tolist() if name(i)]
        return found(
            "class-unknown", "error", self.split, unknown, "expected a class of classes.txt",
            lambda row: self.box_spot(row, f"got {shown(name(row))}"),
        )  # fmt: skip

    def _id(self, index: int) -> int | None:
        return int(self.image_ids[index]) if index >= 0 and self.has_ids else None
