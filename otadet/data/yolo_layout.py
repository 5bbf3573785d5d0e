"""Find images, label files and class names of a YOLO data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from otadet.data.class_names import (
    CLASSES,
    Yaml,
    document_names,
    find_document,
    names_beside,
    read_yaml,
)
from otadet.data.image_file import IMAGE_ENDINGS
from otadet.data.layouts import NoSplitError, SplitPaths
from otadet.data.text_file import read_text, shown
from otadet.errors import InputError

_YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class YoloFiles:
    """Files of one split.

    Attributes:
        images: the folder that the images' names are relative to.
        file_names: names of the images.
        labels: the label file of each image; it need not exist.
        names: class names by index; ``None`` where no file states them.
        folder: folder of the label files; ``None`` where the images come from a list.
        key_points: number of key points of each object and of numbers of each, ``kpt_shape``.
    """

    images: Path
    file_names: tuple[str, ...]
    labels: tuple[Path, ...]
    names: tuple[str, ...] | None
    folder: Path | None = None
    key_points: tuple[int, int] | None = None

    def unused_labels(self) -> list[Path]:
        """Return the label files in :attr:`folder` that belong to none of the images, sorted."""
        if self.folder is None:
            return []
        used = set(self.labels)
        found = (Path(at) / name for at, names in _walk(self.folder) for name in names)
        return sorted(
            path
            for path in found
            if path.suffix == ".txt"
            and path.name != CLASSES
            and not path.name.startswith(".")
            and path not in used
        )


def find_yolo(place: SplitPaths) -> YoloFiles:
    """Find the files of a split.

    Raises:
        InputError: a folder, a list or an entry is missing.
    """
    path = place.annotations
    document_path = path if path.suffix in _YAML else find_document(place.root)
    document = read_yaml(document_path) if document_path is not None else {}
    files = _find(place, document_path, document)
    return replace(files, key_points=_key_points(document_path, document))


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


def _find(place: SplitPaths, document_path: Path | None, document: dict[str, Yaml]) -> YoloFiles:
    path, images = place.annotations, place.images
    if document_path is not None and "names" in document:
        names: tuple[str, ...] | None = document_names(document_path, document)
    else:
        names = names_beside(place.root, path if path.is_dir() else path.parent)
    if path.suffix in _YAML:
        path = _entry(path, document, place)
        if path.is_dir():
            images, path = images or path, _other(path, place.root, "images", "labels")
    if path.suffix == ".txt":
        return _from_list(path, images or place.root, names)
    if not path.is_dir():
        raise InputError(f"{path}: folder of label files not found")
    return _from_folders(images or _other(path, place.root, "labels", "images"), path, names)


def _entry(path: Path, document: dict[str, Yaml], place: SplitPaths) -> Path:
    """Return the folder or list that ``data.yaml`` names for the split."""
    keys = ("val", "valid") if place.split == "val" else ("train",)
    value = next((document[key] for key in keys if key in document), None)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        raise (NoSplitError if value is None else InputError)(
            f"{path}: key {place.split!r}: expected one folder or list of images, got "
            f"{shown(value) if value is not None else 'nothing'}; name the labels with "
            f"{place.split}_ann=..."
        )
    base = document.get("path")
    folders = [path.parent / base] if isinstance(base, str) else []
    # Some services write ../train/images where they mean the folder beside this file.
    names = [value, value.removeprefix("../")]
    tried = [folder / name for folder in (*folders, path.parent) for name in names]
    for each in tried:
        if each.exists():
            return each
    raise InputError(f"{path}: key {place.split!r}: {tried[-2]} not found")


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


def _from_folders(images: Path, labels: Path, names: tuple[str, ...] | None) -> YoloFiles:
    if not images.is_dir():
        raise InputError(f"{images}: image folder not found (labels {labels})")
    found: list[str] = []
    for folder, files in _walk(images):
        above = Path(folder).relative_to(images)
        found += [
            (above / name).as_posix()
            for name in files
            if not name.startswith(".")  # macOS leaves ._NAME beside each file on other disks
            and os.path.splitext(name)[1].lower() in IMAGE_ENDINGS  # noqa: PTH122 - of 100,000
        ]
    if not found:
        raise InputError(f"{images}: expected images ({', '.join(IMAGE_ENDINGS)}), found no image")
    found.sort()
    _check_apart(found, images)
    files_of = tuple(labels / PurePosixPath(name).with_suffix(".txt") for name in found)
    return YoloFiles(images, tuple(found), files_of, names, labels)


def _walk(top: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder with the names of its files, linked folders too.

    None comes twice, so that circular links end.
    """
    seen: set[str] = set()
    for folder, inner, files in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        inner.sort()  # which name of a folder counts does not depend on the disk
        yield folder, files


def _check_apart(names: Sequence[str], images: Path) -> None:
    """Two images must not share a label file."""
    seen: dict[str, str] = {}
    for name in names:
        stem = name.rpartition(".")[0]
        if stem in seen:
            raise InputError(
                f"{images}: {seen[stem]} and {name} would have the same label file; expected "
                "names that differ without their endings"
            )
        seen[stem] = name


def _from_list(path: Path, images: Path, names: tuple[str, ...] | None) -> YoloFiles:
    """Read a list of images, one a line."""
    found: list[str] = []
    labels: list[Path] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        name = _relative(line.strip(), path, number, images)
        found.append(name)
        parts = list(PurePosixPath(name).with_suffix(".txt").parts)
        if "images" in parts[:-1]:
            last = len(parts) - 2 - parts[:-1][::-1].index("images")
            parts[last] = "labels"
            labels.append(images.joinpath(*parts))
        else:
            outer = _other(images, images.parent, "images", "labels")
            labels.append(outer.joinpath(*parts))
    if not found:
        raise InputError(f"{path}: expected the path of an image a line, got nothing")
    if len(set(found)) < len(found):
        twice = Counter(found).most_common(1)[0][0]
        raise InputError(f"{path}: expected each image once, got {shown(twice)} twice")
    return YoloFiles(images, tuple(found), tuple(labels), names)


def _relative(line: str, path: Path, number: int, images: Path) -> str:
    """A line's image relative to the folder of the images."""
    given = Path(line)
    beside = path.parent / given
    whole = given if given.is_absolute() else beside if beside.is_file() else images / given
    plain, root = os.path.normpath(whole), os.path.normpath(images)
    name = os.path.relpath(plain, root)
    if name.startswith(".."):
        raise InputError(
            f"{path}: line {number}: expected an image inside {images}, got {shown(line)}"
        )
    if os.path.splitext(name)[1].lower() not in IMAGE_ENDINGS:  # noqa: PTH122
        raise InputError(
            f"{path}: line {number}: expected an image ({', '.join(IMAGE_ENDINGS)}), got "
            f"{shown(line)}"
        )
    return Path(name).as_posix()
