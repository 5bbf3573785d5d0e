"""Find the label file of each image of a YOLO data set."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from otadet.data.folder_tree import ending, joined, without_prefix

_IMAGE_FOLDERS = frozenset({"images", "jpegimages", "image", "imgs"})


def find_labels(
    images: Path, names: Sequence[str], labels: Path | None, root: Path
) -> tuple[Path, ...]:
    """Return the label file of each image; where there is none, the path that it would have.

    For each folder of images the folder of its labels is the first that has any of: the same
    folder below ``labels``; the path with ``labels`` for its last ``images``; the folder itself; a
    folder ``labels`` in it or beside it. A file is named as its image, ``NAME.txt`` or
    ``NAME.jpg.txt``, in whatever case and composition of letters.

    Args:
        images: folder of the images.
        names: of the images, relative to it.
        labels: folder of the label files where it is known.
        root: parts of paths above it are not replaced.
    """
    by_folder: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        by_folder.setdefault(name.rpartition("/")[0], []).append(index)
    found: dict[int, Path] = {}
    for folder, indices in by_folder.items():
        bases = [names[i].rpartition("/")[2] for i in indices]
        own = [labels / folder, labels] if labels is not None else []
        options = dict.fromkeys([*own, *_options(images / folder, root)])
        found.update(zip(indices, _first(options, bases)))
    return tuple(found[index] for index in range(len(names)))


def _options(folder: Path, root: Path) -> Iterator[Path]:
    parts = list(folder.parts)
    fixed = len(root.parts) if folder.is_relative_to(root) else 0
    for index in range(len(parts) - 1, fixed - 1, -1):
        if parts[index].lower() in _IMAGE_FOLDERS:
            above = Path(*parts[:index])
            for name in ("labels", "Labels"):
                yield above.joinpath(name, *parts[index + 1 :])
            break
    yield folder
    yield folder / "labels"
    yield folder.parent / "labels"


def _first(options: Iterable[Path], images: Sequence[str]) -> list[Path]:
    """The label files in the first of some folders that has any of them."""
    options = list(options)
    for folder in options:
        files = _listed(folder)
        found = [_match(name, files) for name in images]
        if any(found):
            break
    else:
        folder, found = options[0], [""] * len(images)
    return [
        folder / (label or f"{name.rpartition('.')[0] or name}.txt")
        for name, label in zip(images, found)
    ]


def _listed(folder: Path) -> dict[str, str]:
    """The label files of a folder by composed name without ending.

    Also by that in small letters, and by that without the prefix of an upload to Label Studio.
    """
    if not folder.is_dir():
        return {}
    files = sorted(name for name in os.listdir(folder) if ending(name) == ".txt")  # noqa: PTH208 - of 100,000
    exact = {unicodedata.normalize("NFC", name[:-4]): name for name in files}
    folded = {key.casefold(): name for key, name in exact.items()}
    bare = Counter(map(without_prefix, exact))
    original = {key: name for each, name in exact.items() if bare[key := without_prefix(each)] == 1}
    return original | folded | exact


def _match(name: str, files: dict[str, str]) -> str:
    if not files:
        return ""
    whole = unicodedata.normalize("NFC", name)
    stem = whole.rpartition(".")[0]
    keys = (stem, whole, stem.casefold(), whole.casefold())
    return next((files[key] for key in keys if key in files), "")


def shared_labels(labels: Sequence[Path]) -> list[tuple[int, int]]:
    """Return the pairs of images that have one label file, by index."""
    first: dict[Path, int] = {}
    pairs = [(first.setdefault(label, index), index) for index, label in enumerate(labels)]
    return [(one, two) for one, two in pairs if one != two and labels[one].is_file()]


def label_files(folder: str, files: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Return the paths of the label files among those of a walk of ``folder``."""
    return [
        f"{folder}/{joined(above, name)}"
        for above, names in files
        for name in names
        if ending(name) == ".txt"
    ]
