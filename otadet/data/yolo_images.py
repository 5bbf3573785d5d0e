"""List the images of a YOLO data set: of folders, or of lists with an image a line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otadet.choices import Split
from otadet.data.class_names import Yaml
from otadet.data.data_folder import NoSplitError
from otadet.data.file_names import resolve_names
from otadet.data.files import unfound
from otadet.data.findings import Finding, Spot, found
from otadet.data.folder_tree import is_image, joined, walk
from otadet.data.image_file import IMAGE_ENDINGS
from otadet.data.layouts import SplitPaths
from otadet.data.text_file import read_text, shown
from otadet.data.yolo_yaml import entries
from otadet.errors import InputError

YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class YoloImages:
    """Names of images relative to ``base``, and the folder of labels where it is one."""

    base: Path
    names: tuple[str, ...]
    labels: Path | None
    findings: list[Finding]


def list_images(place: SplitPaths, document: dict[str, Yaml]) -> YoloImages:
    """List the images of a split.

    Args:
        place: with a ``data.yaml``, a list of images or a folder of label files.
        document: content of the ``data.yaml``.

    Raises:
        InputError: a folder, a list or an entry is missing or empty.
    """
    path, split = place.annotations, place.split
    if path.is_dir():
        images = place.images or _other(path, place.root, "labels", "images")
        return _from_folders([images], path, split)
    if path.suffix not in YAML:
        return _from_lists([path], place.images or place.root, split)
    named = entries(path, document, "train" if place.divide is not None else split)
    if named is None:
        raise NoSplitError(
            f"{path}: key {split!r}: expected folders or lists of images, got nothing; name the "
            f"labels with {split}_ann=..."
        )
    lists = [each for each in named if not each.is_dir()]
    if lists:
        return _from_lists(lists, place.images or place.root, split)
    folders = [place.images] if place.images is not None else named
    labels = _other(named[0], place.root, "images", "labels") if len(named) == 1 else None
    return _from_folders(folders, labels, split)


def _other(folder: Path, root: Path, old: str, new: str) -> Path:
    """Replace the last part ``old`` of a path below ``root`` by ``new``.

    The same path where there is no such part or no such folder.
    """
    depth = len(root.parts) if folder.is_relative_to(root) else 0
    parts = list(folder.parts)
    for index in range(len(parts) - 1, depth - 1, -1):
        if parts[index] == old:
            parts[index] = new
            other = Path(*parts)
            return other if other.is_dir() else folder
    return folder


def _from_folders(folders: Sequence[Path], labels: Path | None, split: Split) -> YoloImages:
    base = Path(os.path.commonpath(folders))
    names: list[str] = []
    hidden: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: image folder not found (labels {labels})")
        above = folder.relative_to(base).as_posix().removeprefix(".")
        names += [
            joined(above, joined(inner, name))
            for inner, files in walk(folder, left_out=hidden)
            for name in files
            if is_image(name)
        ]
    if not names:
        raise InputError(f"{base}: expected images ({', '.join(IMAGE_ENDINGS)}), found no image")
    counts = [_count_images(folder) for folder in hidden]
    findings = found(
        "images-hidden", "note", split, [i for i, count in enumerate(counts) if count],
        f"hidden folders, whose {sum(counts):,} images are left out",
        lambda i: Spot(str(hidden[i]), got=f"{counts[i]:,} images", part=split),
    )  # fmt: skip
    return YoloImages(base, tuple(sorted(set(names))), labels, findings)


def _count_images(folder: Path) -> int:
    return sum(is_image(name) for _, _, names in os.walk(folder) for name in names)


def _from_lists(lists: Sequence[Path], images: Path, split: Split) -> YoloImages:
    """Read lists of images, one a line, absolute or relative to the list or to ``images``."""
    lines = [
        (path, number, text)
        for path in lists
        for number, line in enumerate(read_text(path).splitlines(), 1)
        if (text := line.strip())
    ]
    if not lines:
        raise InputError(f"{lists[0]}: expected the path of an image a line, got nothing")
    names = _relative(lines, images)
    result = resolve_names(names, [images])

    def spot(index: int) -> Spot:
        path, number, text = lines[index]
        got = f"got {shown(text)}"
        if index in result.changed:
            got += f", taken for {result.names[index]} ({result.changed[index]})"
        return Spot(str(path), f"line {number}", got=got, part=split)

    first: dict[str, int] = {}
    twice = [i for i, name in enumerate(result.names) if first.setdefault(name, i) != i]
    other = [i for i, name in enumerate(result.names) if not is_image(name)]
    outside = [i for i, name in enumerate(result.names) if name.startswith(("..", "/"))]
    findings = found("image-listed-twice", "error", split, twice, "expected each image once", spot)
    text = f"expected an image ({', '.join(IMAGE_ENDINGS)})"
    findings += found("value-invalid", "error", split, other, text, spot)
    text = f"expected an image inside {images}"
    findings += found("file-name-outside", "error", split, outside, text, spot)
    text = "entries of a list found in another spelling or place"
    findings += found("file-name-resolved", "repaired", split, result.changed, text, spot)
    drop = {*twice, *other, *outside}
    kept = tuple(name for i, name in enumerate(result.names) if i not in drop)
    return YoloImages(images, kept, None, findings)


def _relative(lines: Sequence[tuple[Path, int, str]], images: Path) -> list[str]:
    """The lines' images relative to their folder, as they are meant where the file is there."""
    top = os.path.abspath(images)  # noqa: PTH100 - of 100,000 lines

    def inside(folder: Path, text: str) -> str:
        path = os.path.normpath(os.path.join(os.path.abspath(folder), text))  # noqa: PTH100, PTH118
        return path[len(top) + 1 :] if path.startswith(f"{top}{os.sep}") else text

    beside = [inside(path.parent, text) for path, _, text in lines]
    missing = set(unfound(beside, images))
    return [
        inside(images, text) if index in missing else beside[index]
        for index, (_, _, text) in enumerate(lines)
    ]
