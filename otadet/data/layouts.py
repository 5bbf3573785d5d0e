"""Where the files of a data set lie, by the custom of each format: paths alone, nothing is read."""

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
    """A data set has no such split, as far as its format's custom says."""


@dataclass(frozen=True)
class SplitPaths:
    """Where one half of a data set lies.

    Attributes:
        format: of the annotations.
        root: the folder of the whole set.
        annotations: file or folder.
        images: folder; ``None`` where the annotations say it (YOLO).
        split: which half it is.
    """

    format: Known
    root: Path
    annotations: Path
    images: Path | None
    split: Split


def find_data(
    data_dir: str | Path,
    split: Split,
    annotations: str | None = None,
    images: str | None = None,
    data_format: DataFormat = "auto",
) -> SplitPaths:
    """Where the annotations and images of a split lie.

    Args:
        data_dir: the folder that the other paths are relative to.
        split: which half.
        annotations: file or folder; none looks for those of the format's custom.
        images: folder of the images; none as well.
        data_format: none but this; ``auto`` goes by endings and by what is in folders.

    Raises:
        InputError: there is no such folder, or no annotations in it; says what was looked for.
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
    """The format of annotations that were named, by their ending or by what is in the folder."""
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
