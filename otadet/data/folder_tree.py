"""Walk the folder of a data set, without what systems and tools leave in it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from otadet.data.image_file import IMAGE_ENDINGS

_LEFT_BY_SYSTEMS = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found",
     "__pycache__", "node_modules"}
)  # fmt: skip

_UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")


def is_junk(name: str) -> bool:
    """Return whether a file or folder is hidden or left by a system, such as ``__MACOSX``."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def walk(
    top: Path, depth: int | None = None, left_out: list[Path] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder, upper ones first, with the sorted names of its files.

    Linked folders are followed; none comes twice, so that circular links end, and of a folder and
    links to it beside it the folder counts. Folders that cannot be read are passed over.

    Args:
        top: where to begin.
        depth: levels of folders below ``top``; ``None`` for all.
        left_out: collects the hidden folders, which are not entered.

    Yields:
        The folder relative to ``top`` with ``/``, empty for ``top`` itself, and its files.
    """
    queue = deque([("", 0)])
    seen: set[str] = set()
    while queue:
        folder, level = queue.popleft()
        real = os.path.realpath(top / folder)
        if real in seen:
            continue
        seen.add(real)
        files, folders, hidden = _listed(top / folder)
        if left_out is not None:
            left_out += hidden
        yield folder, files
        if depth is None or level < depth:
            queue += [(f"{folder}/{name}" if folder else name, level + 1) for name in folders]


def _listed(folder: Path) -> tuple[list[str], list[str], list[Path]]:
    """Files; folders, links last; hidden folders."""
    files: list[str] = []
    folders: list[tuple[bool, str]] = []
    hidden: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_junk(entry.name):
                    hidden += [folder / entry.name] if entry.is_dir() else []
                elif entry.is_dir():
                    folders.append((entry.is_symlink(), entry.name))
                else:
                    files.append(entry.name)
    except OSError:
        pass
    return sorted(files), [name for _, name in sorted(folders)], sorted(hidden)


def ending(name: str) -> str:
    """Return the ending of a file's name in small letters, with its dot."""
    _, dot, suffix = name.rpartition(".")
    return dot + suffix.lower() if dot else ""


def is_image(name: str) -> bool:
    """Return whether a file's ending is that of an image."""
    return ending(name) in IMAGE_ENDINGS


def stem_key(name: str) -> str:
    """Return a path without an image's ending, composed and in small letters.

    What two spellings of one file have in common: other case, other or no ending, letters with
    accents as one code or two.
    """
    bare = name.rpartition(".")[0] if is_image(name) else name
    return bare.lower() if bare.isascii() else unicodedata.normalize("NFC", bare).casefold()


def without_prefix(name: str) -> str:
    """Return a name without the prefix that Label Studio gives to uploaded files."""
    return _UPLOAD.sub("", name)


def joined(folder: str, name: str) -> str:
    """Join two relative paths of which the first may be empty."""
    return f"{folder}/{name}" if folder else name


@dataclass(frozen=True)
class Tree:
    """Files of a data set's folder.

    Attributes:
        root: the folder.
        files: names of the files of each folder, by its path relative to ``root``.
    """

    root: Path
    files: dict[str, list[str]]

    @staticmethod
    def of(root: Path, depth: int | None = None) -> Tree:
        """Look into a folder, ``depth`` levels deep, ``None`` for all."""
        return Tree(root, dict(walk(root, depth)))

    def ending_in(self, *endings: str) -> list[str]:
        """Return the paths of the files with one of these endings."""
        return [
            joined(folder, name)
            for folder, names in self.files.items()
            for name in names
            if ending(name) in endings
        ]

    @cached_property
    def images(self) -> dict[str, list[str]]:
        """Paths of the images by :func:`stem_key` of their names alone."""
        found: dict[str, list[str]] = {}
        for path in self.ending_in(*IMAGE_ENDINGS):
            found.setdefault(stem_key(path.rpartition("/")[2]), []).append(path)
        return found

    @cached_property
    def image_folders(self) -> dict[str, None]:
        """The folders that hold images themselves, in order."""
        folders = (folder for folder, names in self.files.items() if any(map(is_image, names)))
        return dict.fromkeys(folders)
