"""The entries ``train`` and ``val`` of YOLO's ``data.yaml``."""

from __future__ import annotations

import os
from pathlib import Path

from otadet.choices import Split
from otadet.data.class_names import Yaml
from otadet.data.folder_tree import Tree
from otadet.data.split_words import split_of
from otadet.data.text_file import shown
from otadet.errors import InputError

_DEPTH = 6
_KEYS: dict[Split, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid")}


def entries(path: Path, document: dict[str, Yaml], split: Split) -> list[Path] | None:
    """Return the folders or lists of images that a ``data.yaml`` names for a split.

    Paths are relative to the entry ``path`` or to the file's folder. Where one is not there, as
    one of another machine, the file or folder beside the file counts that has the longest common
    tail.

    Returns:
        ``None`` where it names none.

    Raises:
        InputError: a value is no text, or a path is not found.
    """
    value = next((document[key] for key in _KEYS[split] if document.get(key) is not None), None)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    return [_entry(path, document.get("path"), split, each) for each in values]


def _entry(path: Path, base: Yaml, split: Split, value: Yaml) -> Path:
    if not isinstance(value, str):
        raise InputError(
            f"{path}: key {split!r}: expected folders or lists of images, got {shown(value)}"
        )
    folders = [path.parent / base] if isinstance(base, str) else []
    # Some services write ../train/images where they mean the folder beside this file.
    names = [value, value.removeprefix("../")]
    tried = [folder / name for folder in (*folders, path.parent) for name in names]
    for each in tried:
        if os.path.exists(each):  # noqa: PTH110 - which takes names that no file can have
            return each
    tail = _by_tail(path.parent, value)
    if tail is None:
        raise InputError(f"{path}: key {split!r}: {tried[-2]} not found")
    return tail


def _by_tail(root: Path, value: str) -> Path | None:
    """The file or folder below ``root`` with the longest common tail, where one has.

    The tail holds the part that states a split, where one does.
    """
    tree = Tree.of(root, _DEPTH)
    paths = [*tree.files, *tree.ending_in(".txt")]
    parts = [part for part in value.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    fewest = next((n for n in range(1, len(parts) + 1) if split_of("/".join(parts[-n:]))), 1)
    for count in range(len(parts), fewest - 1, -1):
        tail = "/" + "/".join(parts[-count:])
        if fits := [path for path in paths if f"/{path}".endswith(tail)]:
            return root / fits[0] if len(fits) == 1 else None
    return None
