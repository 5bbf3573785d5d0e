"""Data set of image files in a folder, whatever the format of its annotations."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

import torch
from loguru import logger

from otadet.choices import Unreadable
from otadet.data.annotation_table import AnnotationTable, Ints
from otadet.data.base import blank_sample, shrunk_sample
from otadet.data.findings import Finding
from otadet.data.image_file import read_image
from otadet.data.image_options import PLAIN, ImageOptions
from otadet.data.large_image import open_image
from otadet.data.windowed_image import ArrayImage, WindowedImage
from otadet.errors import InputError
from otadet.types import GroundTruth, Sample

T = TypeVar("T")


class FileDataset:
    """An :class:`~otadet.data.annotation_table.AnnotationTable` and the folder with its images.

    Args:
        table: the annotations.
        images: the folder that ``table.file_names`` are relative to.
        source: what to call the annotations in messages, usually their path.
        unreadable: ``"stop"`` raises at an image that is missing, cut short or no image;
            ``"skip"`` warns once for each such image, counts it in ``skipped["unreadable"]`` and
            gives the next readable one in its place.
        skipped: what the reader of the annotations already left out, by reason.
        findings: of the reader.
        origin: format and layout of the annotations, for the log.
        pixels: pages, channels and stretch of the image files.
        decoded: folder where large files that cannot be read by windows are kept decoded.

    Raises:
        InputError: no images, a missing folder, a file name that leaves the folder, or (with
            ``"stop"``) a file that is not there.
    """

    def __init__(
        self,
        table: AnnotationTable,
        images: Path,
        *,
        source: str,
        unreadable: Unreadable = "stop",
        skipped: Mapping[str, int] | None = None,
        findings: Sequence[Finding] = (),
        origin: str = "",
        pixels: ImageOptions = PLAIN,
        decoded: Path | None = None,
    ) -> None:
        if unreadable not in ("stop", "skip"):
            raise InputError(f"unreadable: expected 'stop' or 'skip', got {unreadable!r}")
        if not len(table):
            raise InputError(f"{source}: no images are left to use")
        self._table = table
        self._images = images
        self._source = source
        self._unreadable = unreadable
        self._skipped = dict(skipped or {})
        self.findings = tuple(findings)
        self.origin = origin
        self.pixels = pixels
        self._decoded = decoded
        # Shared memory, so that the count of every loader process arrives here.
        self._bad = torch.zeros(len(table), dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
        missing = find_missing(table, images, source)
        if missing and unreadable == "stop":
            raise InputError(self._missing_message(missing))
        if missing:
            self._bad[missing] = 1
            logger.warning(f"{self._missing_message(missing)}; skipped")

    def _missing_message(self, missing: list[int]) -> str:
        first = missing[0]
        others = f" (and {len(missing) - 1} more are missing)" if len(missing) > 1 else ""
        return (
            f"{self._images / self._table.file_names[first]}: image file not found, image id "
            f"{self._table.image_ids[first]} of {self._source}{others}"
        )

    @property
    def table(self) -> AnnotationTable:
        """The annotations as columns."""
        return self._table

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the contiguous class indices."""
        return self._table.class_names

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of the images relative to :attr:`images`."""
        return self._table.file_names

    @property
    def category_ids(self) -> tuple[int, ...] | None:
        """The annotation file's own id of each class; ``None`` for formats without ids."""
        return self._table.category_ids

    @property
    def sizes(self) -> Ints:
        """``[N, 2]`` int64 height and width of every image, pixels."""
        return self._table.sizes

    @property
    def skipped(self) -> dict[str, int]:
        """Number of things left out, by reason; ``unreadable`` counts distinct images so far."""
        before = self._skipped.get("unreadable", 0)
        return {**self._skipped, "unreadable": before + int(self._bad.sum())}

    @property
    def num_objects(self) -> int:
        """Number of objects of all images."""
        return len(self._table.boxes)

    @property
    def num_ignored(self) -> int:
        """Number of ignore regions of all images."""
        return len(self._table.ignore_boxes)

    @property
    def images(self) -> Path:
        """Folder that the file names are relative to."""
        return self._images

    @property
    def source(self) -> Path:
        """Path of the annotations."""
        return Path(self._source)

    @property
    def amodal(self) -> bool:
        """Whether boxes are those of whole objects and may leave their image."""
        return self._table.amodal

    def __len__(self) -> int:
        return len(self._table)

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the ground truth of image ``index``, image frame."""
        return self._table.ground_truth(index)

    def load(self, index: int) -> Sample:
        """Load image ``index`` with its objects; with ``"skip"`` the next readable one.

        Raises:
            InputError: the image (with ``"skip"``: every image) cannot be read.
        """
        return self.load_reduced(index, 1)

    def load_reduced(self, index: int, factor: int) -> Sample:
        """Load as :meth:`load` does, a JPEG with sides ``factor`` (1, 2, 4 or 8) times smaller.

        Sides are rounded up. Images of other formats stay whole, since decoding takes as long.

        Raises:
            InputError: as :meth:`load`.
        """
        return self._readable(index, lambda each: self._load(each, factor))

    def open_image(self, index: int) -> tuple[Sample, WindowedImage]:
        """Open image ``index`` to be read by windows; with ``"skip"`` the next readable one.

        A subclass with a ``load`` of its own gives what that loads.

        Returns:
            Its objects, in a sample without pixels, and the image.

        Raises:
            InputError: as :meth:`load`.
        """
        if type(self).load is not FileDataset.load:
            sample = self.load(index)
            return sample, ArrayImage(sample.image)
        return self._readable(index, self._open)

    def _readable(self, index: int, read: Callable[[int], T]) -> T:
        """Read an image; with ``"skip"`` the next one that can be read."""
        if self._unreadable == "stop":
            return read(index)
        for step in range(len(self)):
            candidate = (index + step) % len(self)
            if self._bad[candidate]:
                continue
            try:
                return read(candidate)
            except InputError as error:
                self._bad[candidate] = 1
                logger.warning(f"{error}; skipped")
        raise InputError(f"{self._source}: none of its {len(self)} images can be read")

    def fingerprint(self) -> str:
        """Return a hash of the image files and of the rule for unreadable ones.

        Of their paths, sizes and modification times; no file is opened. ``upright`` stands for how
        :func:`~otadet.data.image_file.read_image` reads.
        """
        digest = hashlib.sha256(self._unreadable.encode() + b"upright")
        if self.pixels != PLAIN:
            digest.update(repr(self.pixels).encode())
        for name in self._table.file_names:
            path = self._images / name
            try:
                state = path.stat()
                stamp = (str(path.resolve()), state.st_size, state.st_mtime_ns)
            except (OSError, ValueError):  # missing, or a name that no file can have
                stamp = (str(path), 0, 0)
            digest.update(repr(stamp).encode())
        return digest.hexdigest()

    def _load(self, index: int, factor: int) -> Sample:
        gt = self._table.ground_truth(index)
        with self._naming(gt):
            path = self._images / gt.file_name
            return shrunk_sample(gt, read_image(path, gt.size, factor, self.pixels))

    def _open(self, index: int) -> tuple[Sample, WindowedImage]:
        gt = self._table.ground_truth(index)
        with self._naming(gt):
            path = self._images / gt.file_name
            return blank_sample(gt), open_image(path, gt.size, self.pixels, self._decoded)

    @contextmanager
    def _naming(self, gt: GroundTruth) -> Iterator[None]:
        """Add the image's id to an error."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{error}, image id {gt.image_id} of {self._source}") from None


def is_file(path: Path) -> bool:
    """Return whether a file exists; one whose name no file system has does not."""
    try:
        return path.is_file()
    except ValueError:  # a NUL, or a surrogate that stands for no byte
        return False
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def names_in(folder: Path) -> set[str]:
    """Return the names in a folder; none where it is missing, or no folder can have its name."""
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()  # noqa: PTH112, PTH208


def find_missing(table: AnnotationTable, images: Path, source: str) -> list[int]:
    """Find the images whose files are missing.

    Raises:
        InputError: the folder is missing, or a file name leads out of it.
    """
    if not images.is_dir():
        raise InputError(f"{images}: image folder not found (images of {source})")
    for index, name in enumerate(table.file_names):
        check_inside(name, f"{source}: image id {table.image_ids[index]}")
    return unfound(table.file_names, images)


def unfound(names: Iterable[str], folder: Path) -> list[int]:
    """Return the names that are not those of files, by index; lists each folder once."""
    listed: dict[str, set[str]] = {}
    lost: list[int] = []
    for index, name in enumerate(names):
        above, _, base = name.rpartition("/")
        if above not in listed:
            inside = not above or is_inside(above)
            listed[above] = names_in(folder / above) if inside else set()
        # The second look is for file systems that treat two spellings as one name.
        if base not in listed[above] and name and not (is_inside(name) and is_file(folder / name)):
            lost.append(index)
    return lost


def check_inside(name: str, where: str) -> None:
    """Raise for a file name that leads out of the image folder.

    Raises:
        InputError: ``name`` is empty, absolute, or climbs above its folder.
    """
    if not is_inside(name):
        raise InputError(
            f"{where}, key 'file_name': expected a file inside the image folder, got {name!r}"
        )


def is_inside(name: str) -> bool:
    """Return whether a relative name stays in its folder, by its text alone.

    Symbolic links in the folder may lead anywhere.
    """
    depth = 0
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        depth += -1 if part == ".." else 1
        if depth < 0 or part == "/" or part.endswith(":"):
            return False
    return depth > 0 and "\0" not in name
