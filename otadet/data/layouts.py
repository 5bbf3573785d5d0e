"""Find the annotations and images of a data set: by official names first, else by a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from otadet.choices import DataFormat, Known, Split
from otadet.data.data_folder import DataFolder, NoSplitError

_ORDER: tuple[Known, ...] = ("coco", "odgt", "voc", "yolo", "labelme", "csv")
"""Which format counts where several are there."""


@dataclass(frozen=True)
class SplitPaths:
    """Paths of a split of a data set.

    Attributes:
        format: of the annotations.
        root: the folder of the whole set.
        annotations: file or folder.
        images: folder; ``None`` where the annotations say it (YOLO).
        split: which half it is.
        layout: how the set is laid out, in a few words for the log.
        divide: share of the images that validates, where the same annotations serve both splits.
    """

    format: Known
    root: Path
    annotations: Path
    images: Path | None
    split: Split
    layout: str = ""
    divide: float | None = None


def find_data(
    data_dir: str | Path,
    split: Split,
    annotations: str | None = None,
    images: str | None = None,
    data_format: DataFormat = "auto",
    val_fraction: float = 0.2,
) -> SplitPaths:
    """Find the annotations and images of a split.

    Official names come first and cost no search. Else all annotations below the folder are found
    by what the files are, and their split by words in their paths. Of several formats that counts
    which has both splits, then the first of COCO, odgt, VOC, YOLO, labelme and CSV. A set with
    annotations for training alone, or for no stated split, is divided: both splits are these
    annotations, and ``divide`` says so. ``test`` is never used.

    Args:
        data_dir: the folder that the other paths are relative to, or the annotation file itself.
        split: which half.
        annotations: file or folder; None searches.
        images: folder of the images; None likewise.
        data_format: the only one accepted; ``auto`` recognises it by endings and contents.
        val_fraction: share of the images that validates where a set is divided; 0 divides none.

    Raises:
        NoSplitError: no annotations of the split; says what was looked for and what is there.
        InputError: no such folder, several files that could be meant, or no images.
    """
    path = Path(data_dir)
    folder = DataFolder.of(path, images)
    wanted = _ORDER if data_format == "auto" else (data_format,)
    if annotations is not None:
        candidate, divided = folder.named(folder.root / annotations, wanted), False
    elif path.is_file():
        candidate, divided = folder.of_file(path, split, wanted, val_fraction)
    else:
        candidate, divided = folder.chosen(split, wanted, val_fraction)
    return SplitPaths(
        candidate.format, folder.root, folder.root / candidate.path,
        folder.images(candidate, split, images), split, candidate.layout,
        val_fraction if divided and val_fraction > 0 else None,
    )  # fmt: skip


Named = Mapping[Split, tuple[str | None, str | None]]
"""Annotations and images of each split as the user names them, ``None`` where not."""


def find_split(
    data_dir: str | Path,
    split: Split,
    named: Named,
    data_format: DataFormat = "auto",
    val_fraction: float = 0.2,
) -> SplitPaths:
    """Find a split as :func:`find_data` does, where either may be named.

    A set is divided where none is named and none found for validation.

    Raises:
        InputError: as :func:`find_data`.
    """
    if named["val"][0] is not None:
        return find_data(data_dir, split, *named[split], data_format, 0)

    def train() -> SplitPaths:
        return find_data(data_dir, "train", *named["train"], data_format, val_fraction)

    if named["train"][0] is None:
        place = find_data(data_dir, split, *named[split], data_format, val_fraction)
        return place if place.divide is None else replace(train(), split=split)
    try:
        val = find_data(data_dir, "val", *named["val"], data_format, 0)
    except NoSplitError:
        if split == "val" and val_fraction == 0:
            raise
        return replace(train(), split=split, divide=val_fraction or None)
    return val if split == "val" else train()
