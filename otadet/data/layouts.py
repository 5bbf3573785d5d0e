"""Find annotation files and image folders by the convention of each format; opens no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otadet.choices import FORMATS, DataFormat, Known, Split
from otadet.errors import InputError

_ANNOTATIONS: dict[Known, tuple[str, ...]] = {
    "coco": ("annotations/instances_{split}2017.json", "annotations/{split}.json"),
    "odgt": ("annotation_{split}.odgt", "{split}.odgt"),
    "voc": ("ImageSets/Main/{split}.txt",),
    "yolo": ("data.yaml", "labels/{split}", "labels/{split}2017", "{split}/labels", "{split}.txt"),
}
_IMAGES: dict[Known, tuple[str, ...]] = {
    "coco": ("{split}2017", "images/{split}2017", "images/{split}", "images", "{split}"),
    "odgt": ("Images", "images"),
    "voc": ("JPEGImages", "images"),
}


class NoSplitError(InputError):
    """A data set has no such split by its format's convention."""


@dataclass(frozen=True)
class SplitPaths:
    """Paths of a split of a data set.

    Attributes:
        format: of the annotations.
        root: the folder of the whole set.
        annotations: file or folder.
        images: folder; ``None`` where the annotations say it (YOLO).
        split: which half it is.
        layout: where things were found, in a few words for the log.
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
) -> SplitPaths:
    """Find the annotations and images of a split.

    Args:
        data_dir: the folder that the other paths are relative to.
        split: which half.
        annotations: file or folder; None looks for those of the format's convention.
        images: folder of the images; None likewise.
        data_format: the only one accepted; ``auto`` recognises it by endings and contents.

    Raises:
        InputError: no such folder, or no annotations in it; lists the paths that were tried.
    """
    root = Path(data_dir)
    if not root.is_dir():
        raise InputError(f"data_dir {root}: folder not found")
    wanted = FORMATS if data_format == "auto" else (data_format,)
    if annotations is None:
        found, path = _customary(root, split, wanted)
    else:
        path = root / annotations
        found = wanted[0] if data_format != "auto" else _kind(path, root)
    return SplitPaths(found, root, path, _images(root, split, images, found, path), split)


def _customary(root: Path, split: Split, wanted: Sequence[Known]) -> tuple[Known, Path]:
    names = [
        (found, name.format(split=word))
        for found in wanted
        for word in ((split, "valid") if split == "val" and found == "yolo" else (split,))
        for name in _ANNOTATIONS[found]
    ]
    for found, name in names:
        if (root / name).exists():
            return found, root / name
    if "voc" in wanted and split == "train" and any(root.glob("*.xml")):
        return "voc", root
    looked = ", ".join(dict.fromkeys(name for _, name in names))
    raise NoSplitError(
        f"data_dir {root}: no annotations for {split}; expected one of {looked}; name them with "
        f"{split}_ann=... and {split}_images=..."
    )


def _images(
    root: Path, split: Split, images: str | None, found: Known, annotations: Path
) -> Path | None:
    if images is not None:
        return root / images
    if found == "yolo":
        return None
    if found == "voc" and annotations.is_dir():
        beside = annotations.parent / "JPEGImages"
        return beside if beside.is_dir() else annotations
    names = [name.format(split=split) for name in _IMAGES[found]]
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise InputError(
        f"data_dir {root}: no folder of images for {split}; expected one of "
        f"{', '.join(names)}; name it with {split}_images=..."
    )


def _kind(path: Path, root: Path) -> Known:
    """Recognise the format of given annotations, by their ending or by the folder's contents."""
    ending = path.suffix.lower()
    if path.is_dir():
        if next(path.glob("*.xml"), None) is not None:
            return "voc"
        if next(path.rglob("*.txt"), None) is not None:
            return "yolo"
        raise InputError(f"{path}: expected a folder of .xml (VOC) or .txt (YOLO), found neither")
    if not path.exists():
        raise InputError(f"{path}: annotation file not found")
    if ending == ".txt":
        voc = "ImageSets" in path.parts or (root / "Annotations").is_dir()
        return "voc" if voc else "yolo"
    kinds: dict[str, Known] = {
        ".json": "coco", ".odgt": "odgt", ".yaml": "yolo", ".yml": "yolo",
    }  # fmt: skip
    if ending not in kinds:
        raise InputError(
            f"{path}: unknown format; expected .json (COCO), .odgt (CrowdHuman), .txt or a folder "
            f"(VOC, YOLO), .yaml (YOLO), got {ending!r}; name it with data_format=..."
        )
    return kinds[ending]
