"""Find images, label files and class names of a YOLO data set."""

from __future__ import annotations

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
from otadet.data.findings import Finding, Spot, found
from otadet.data.folder_tree import Tree, walk
from otadet.data.layouts import SplitPaths
from otadet.data.text_file import shown
from otadet.data.yolo_images import YAML, YoloImages, list_images
from otadet.data.yolo_labels import find_labels, label_files, shared_labels
from otadet.errors import InputError

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
        used = set(map(str, self.labels))
        there = label_files(str(self.folder), walk(self.folder))
        unused = sorted(set(there) - used)
        return [path for path in map(Path, unused) if path.name != CLASSES]


def find_yolo(place: SplitPaths) -> YoloFiles:
    """Find the files of a split.

    Raises:
        InputError: a folder, a list or an entry is missing.
    """
    path = place.annotations
    folders = _upwards(path if path.is_dir() else path.parent, place.root)
    document_path = path if path.suffix in YAML else _document(folders)
    if document_path is None and _listed_names(folders) is None:
        document_path = _only_document(place.root)
    document = read_yaml(document_path) if document_path is not None else {}
    if document_path is not None and "names" in document:
        names: tuple[str, ...] | None = document_names(document_path, document)
    else:
        names = _listed_names(folders)
    images = list_images(place, document)
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
    return next((file for file in files if file.suffix in YAML and _names_classes(file)), None)


def _only_document(root: Path) -> Path | None:
    """The YAML file anywhere below the folder that names classes, where it is one."""
    files = [root / name for name in Tree.of(root, _DEPTH).ending_in(*YAML)]
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
        count, dims = (int(v) if isinstance(v, str) and v.isdecimal() and len(v) < 9 else 0
                       for v in value)  # fmt: skip
        if count > 0 and dims in (2, 3):
            return count, dims
    raise InputError(
        f"{path}: key 'kpt_shape': expected the number of key points and 2 or 3 numbers of each, "
        f"such as [17, 3], got {shown(value)}"
    )


def _shared(images: YoloImages, labels: Sequence[Path], split: Split) -> list[Finding]:
    pairs = shared_labels(labels)

    def spot(index: int) -> Spot:
        one, two = (images.names[i] for i in pairs[index])
        return Spot(str(labels[pairs[index][1]]), got=f"{one} and {two}", part=split)

    text = "expected images whose names differ without their endings: these have one label file"
    return found("label-shared", "error", split, range(len(pairs)), text, spot)
