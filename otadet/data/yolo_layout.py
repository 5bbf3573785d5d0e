"""Find images, label files and class names of a YOLO data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otadet.choices import Split
from otadet.data.class_names import (
    CLASSES,
    Yaml,
    document_names,
    find_document,
    names_beside,
    read_names,
    read_yaml,
)
from otadet.data.data_folder import NoSplitError
from otadet.data.file_names import resolve_names, unfound
from otadet.data.findings import Finding, Spot, found
from otadet.data.folder_tree import Tree, is_image, joined, walk
from otadet.data.image_file import IMAGE_ENDINGS
from otadet.data.layouts import SplitPaths
from otadet.data.text_file import read_text, shown
from otadet.data.yolo_labels import find_labels, label_files, shared_labels
from otadet.data.yolo_yaml import entries
from otadet.errors import InputError

_YAML = (".yaml", ".yml")
_DEPTH = 3


@dataclass(frozen=True)
class YoloFiles:
    """Files of one split.

    Attributes:
        images: the folder that the images' names are relative to.
        file_names: names of the images.
        labels: the label file of each image; it need not exist.
        names: class names by index; ``None`` where no file states them.
        folder: folder of the label files; ``None`` where images and labels lie in several.
        key_points: number of key points of each object and of numbers of each, ``kpt_shape``.
        findings: of lists and folders.
    """

    images: Path
    file_names: tuple[str, ...]
    labels: tuple[Path, ...]
    names: tuple[str, ...] | None
    folder: Path | None = None
    key_points: tuple[int, int] | None = None
    findings: tuple[Finding, ...] = ()

    def unused_labels(self) -> list[Path]:
        """Return the label files in :attr:`folder` that belong to none of the images, sorted."""
        if self.folder is None:
            return []
        used = set(self.labels)
        there = label_files(self.folder, walk(self.folder))
        return sorted(path for path in there if path.name != CLASSES and path not in used)


def find_yolo(place: SplitPaths) -> YoloFiles:
    """Find the files of a split.

    Raises:
        InputError: a folder, a list or an entry is missing.
    """
    path = place.annotations
    folders = _upwards(path if path.is_dir() else path.parent, place.root)
    document_path = path if path.suffix in _YAML else _document(folders)
    if document_path is None and _listed_names(folders) is None:
        document_path = _only_document(place.root)
    document = read_yaml(document_path) if document_path is not None else {}
    if document_path is not None and "names" in document:
        names: tuple[str, ...] | None = document_names(document_path, document)
    else:
        names = _listed_names(folders)
    images = _listed_images(place, document)
    key_points = _key_points(document_path, document)
    labels = find_labels(images.base, images.names, images.labels, place.root)
    findings = images.findings + _shared(images, labels, place.split)
    return YoloFiles(
        images.base, images.names, labels, names, images.labels, key_points, tuple(findings)
    )


def _upwards(folder: Path, root: Path) -> list[Path]:
    """The folder and those above it up to the root of the data set."""
    inside = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
    return inside or [folder, root]


def _document(folders: Sequence[Path]) -> Path | None:
    """The ``data.yaml``, or another YAML file that names classes."""
    if (path := find_document(*folders)) is not None:
        return path
    files = [file for folder in folders for file in sorted(folder.glob("[!.]*.y*ml"))]
    return next((file for file in files if file.suffix in _YAML and _names_classes(file)), None)


def _only_document(root: Path) -> Path | None:
    """The YAML file anywhere below the folder that names classes, where it is one."""
    files = [root / name for name in Tree.of(root, _DEPTH).ending_in(*_YAML)]
    found = [file for file in files if _names_classes(file)]
    return found[0] if len(found) == 1 else None


def _names_classes(path: Path) -> bool:
    try:
        return "names" in read_yaml(path)
    except InputError:
        return False


def _listed_names(folders: Sequence[Path]) -> tuple[str, ...] | None:
    """The names of a list: ``classes.txt``, ``obj.names`` or another ``*.names``."""
    if (names := names_beside(*folders)) is not None:
        return names
    lists = [file for folder in folders for file in sorted(folder.glob("[!.]*.names"))]
    return read_names(lists[0]) if lists else None


def _key_points(path: Path | None, document: dict[str, Yaml]) -> tuple[int, int] | None:
    """Return ``kpt_shape`` of data.yaml."""
    value = document.get("kpt_shape")
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        count, dims = (int(v) if isinstance(v, str) and v.isdecimal() else 0 for v in value)
        if count > 0 and dims in (2, 3):
            return count, dims
    raise InputError(
        f"{path}: key 'kpt_shape': expected the number of key points and 2 or 3 numbers of each, "
        f"such as [17, 3], got {shown(value)}"
    )


@dataclass(frozen=True)
class _Images:
    """Names of images relative to ``base``, and the folder of labels where it is one."""

    base: Path
    names: tuple[str, ...]
    labels: Path | None
    findings: list[Finding]


def _listed_images(place: SplitPaths, document: dict[str, Yaml]) -> _Images:
    path, split = place.annotations, place.split
    if path.is_dir():
        images = place.images or _other(path, place.root, "labels", "images")
        return _from_folders([images], path, split)
    if path.suffix not in _YAML:
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


def _from_folders(folders: Sequence[Path], labels: Path | None, split: Split) -> _Images:
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
    return _Images(base, tuple(sorted(set(names))), labels, findings)


def _count_images(folder: Path) -> int:
    return sum(is_image(name) for _, _, names in os.walk(folder) for name in names)


def _shared(images: _Images, labels: Sequence[Path], split: Split) -> list[Finding]:
    pairs = shared_labels(labels)

    def spot(index: int) -> Spot:
        one, two = (images.names[i] for i in pairs[index])
        return Spot(str(labels[pairs[index][1]]), got=f"{one} and {two}", part=split)

    text = "expected images whose names differ without their endings: these have one label file"
    return found("label-shared", "error", split, range(len(pairs)), text, spot)


def _from_lists(lists: Sequence[Path], images: Path, split: Split) -> _Images:
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
    return _Images(images, kept, None, findings)


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
