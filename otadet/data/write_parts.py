"""What the writers of annotation formats share: class names, file names, what a format loses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from otadet.choices import Known, Split
from otadet.data.class_names import CLASSES
from otadet.data.classes import Classes
from otadet.errors import InputError
from otadet.types import GroundTruth

Lost = Counter[str]
"""Number of things that the format cannot express, by kind."""

_IN_LINES: frozenset[Known] = frozenset({"odgt", "voc", "yolo", "csv", "labelme"})
"""Formats that keep class names in the lines of ``classes.txt``."""
_RESERVED: dict[Known, tuple[str, ...]] = {
    "odgt": ("mask",), "labelme": ("__ignore__", "_background_"),
}  # fmt: skip
_BY_STEM: dict[Known, str] = {"yolo": "label file", "labelme": "JSON file"}


Writer = Callable[[Iterable[GroundTruth], Classes, Path, Split], Lost]
"""Writes the annotations of a split into the folder of the data set."""


def check_names(data_format: Known, class_names: Sequence[str], file_names: Sequence[str]) -> None:
    """Check that a format can express the names of classes and of the images of a split.

    Raises:
        InputError: a class is named as the format cannot, or two images would share a file.
    """
    for name in class_names if data_format in _IN_LINES else ():
        if not name.isprintable() or name != name.strip():
            raise InputError(
                f"class {name!r}: expected a name without line breaks and without blanks at its "
                "ends, since this format keeps names in lines"
            )
    for name in _RESERVED.get(data_format, ()):
        if name in class_names:
            raise InputError(
                f"class {name!r}: {data_format} keeps this name for what is no object; rename it"
            )
    for name in file_names if data_format == "csv" else ():
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise InputError(f"image {name!r}: expected a name in UTF-8")
    seen: dict[str, int] = {}
    for index, name in enumerate(file_names if data_format in _BY_STEM else ()):
        first = seen.setdefault(str(PurePosixPath(name).with_suffix("")), index)
        if first != index:
            raise InputError(
                f"{name}: {file_names[first]} would have the same {_BY_STEM[data_format]}, which "
                "is found by the image's name without its ending; rename one"
            )


def write_names(names: Sequence[str], folder: Path) -> None:
    """Write ``classes.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CLASSES).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def stem(gt: GroundTruth) -> str:
    """Return the file name of an image without its ending.

    Raises:
        InputError: it cannot stand in a line.
    """
    if not gt.file_name.isprintable():
        raise InputError(f"image {gt.file_name!r}: expected a name of printable characters")
    return PurePosixPath(gt.file_name).with_suffix("").as_posix()


def has_box_area(gt: GroundTruth) -> npt.NDArray[np.bool_]:
    """``[N]`` whether the area of each object is that of its box."""
    sides = gt.boxes[:, 2:] - gt.boxes[:, :2]
    own = np.isclose(gt.areas, np.prod(sides, axis=1, dtype=np.float64), rtol=1e-5)
    return np.asarray(own, np.bool_)


def lost_areas(gt: GroundTruth) -> Lost:
    """Return the areas that a format without areas loses."""
    return Lost({"areas that are not those of the boxes": int((~has_box_area(gt)).sum())})


def lost_of_boxes(gt: GroundTruth) -> Lost:
    """Return what a format of plain boxes loses."""
    return lost_areas(gt) + Lost({"ignore regions": len(gt.ignore_boxes)})
