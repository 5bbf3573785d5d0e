"""The gate for what is written: a file is new, or replaced where otadet has written it.

A folder of results keeps a list of the files that were written there. A single file is recognised
by its content. Neither ever replaces an input of the same command.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from otadet.atomic import atomic_path
from otadet.errors import InputError
from otadet.regular_file import read_regular

LIST = ".otadet"
"""Name of the list in a folder of results."""

_HEAD = '{"otadet": "files that were written here and may be replaced"}'
_LINK = "link"
_SHOWN = 3


class Inputs:
    """The files that a command reads, whatever path leads to them.

    Args:
        paths: of the files; those that are missing are passed over.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._paths = paths

    @cached_property
    def _known(self) -> frozenset[tuple[int, int]]:
        found = set()
        for path in self._paths:
            try:
                status = path.stat()
            except (OSError, ValueError):
                continue
            found.add((status.st_dev, status.st_ino))
        return frozenset(found)

    def __contains__(self, status: os.stat_result) -> bool:
        return (status.st_dev, status.st_ino) in self._known


def check_output(path: Path, inputs: Inputs, ours: Callable[[Path], bool]) -> None:
    """Check that a file may be written: it is new, or no input and one of ours.

    Args:
        path: the file.
        inputs: of the command.
        ours: whether otadet has written an existing file.

    Raises:
        InputError: it must not be replaced.
        OSError: its folder cannot be read.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if status in inputs:
        raise InputError(f"{path}: is an input of this command; name another file")
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a link, pipe or device"
        raise InputError(f"{path}: is {kind}; expected the name of a new file")
    if status.st_size and not ours(path):  # an empty file, such as mktemp's, holds nothing
        raise InputError(
            f"{path}: exists, and otadet has not written it, or it has changed since; name another "
            "place, or remove it"
        )


def check_different(paths: Iterable[Path]) -> None:
    """Check that the files that a command writes are different ones.

    Raises:
        InputError: two are the same.
    """
    seen: set[Path] = set()
    for path in paths:
        place = path.parent.resolve() / path.name
        if place in seen:
            raise InputError(f"{path}: two outputs have this name; name another file")
        seen.add(place)


def begins_with(*heads: bytes) -> Callable[[Path], bool]:
    """Return whether a file begins as otadet's own of a kind."""

    def known(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(max(map(len, heads))).startswith(heads)

    return known


class OutputFolder:
    """A folder of results and the list of the files in it that otadet has written.

    Args:
        path: the folder; it need not exist yet.
        inputs: of the command.

    Raises:
        InputError: the folder has a file of the list's name that is no such list.
    """

    def __init__(self, path: Path, inputs: Inputs | None = None) -> None:
        self.path = path
        self.inputs = inputs or Inputs()
        self._written = _read_list(path / LIST)

    def check(self, names: Iterable[str]) -> None:
        """Check that files of these names may be written, see :func:`check_output`."""
        for name in names:
            check_output(self.path / name, self.inputs, self._is_ours)

    @contextmanager
    def atomic(self, path: Path, ending: str = ".part", sync: bool = True) -> Iterator[Path]:
        """Write a file of the folder as :func:`~otadet.atomic.atomic_path` does, and list it.

        Raises:
            InputError: a file is there that must not be replaced.
        """
        check_output(path, self.inputs, self._is_ours)
        with atomic_path(path, ending, sync) as part:
            yield part
            if part.exists():
                self._append(path.relative_to(self.path).as_posix(), _state(part))

    def _is_ours(self, path: Path) -> bool:
        states = self._written.get(path.relative_to(self.path).as_posix(), [])
        return bool(states) and _state(path) in states

    def _append(self, name: str, state: str) -> None:
        """Add a line before the file gets its name; a process that dies between leaves both."""
        states = self._written.setdefault(name, [])
        if state in states:
            return
        new = not (self.path / LIST).exists()
        with (self.path / LIST).open("a", encoding="utf-8") as file:
            file.write((f"{_HEAD}\n" if new else "") + _line(name, state))
        states.append(state)


def list_files(folder: Path, sized: Sequence[str] = ()) -> None:
    """Write the list of all files of a folder that otadet has just made.

    Args:
        folder: the folder.
        sized: endings of large files, of which only the size is kept.
    """
    lines = []
    for name in _files(folder):
        path = folder / name
        lines.append(_line(name, _state(path, path.suffix.lower() not in sized)))
    (folder / LIST).write_text("".join([f"{_HEAD}\n", *lines]), encoding="utf-8")


def check_replaceable(folder: Path) -> int:
    """Check that a folder holds nothing but files that otadet has written, as they were.

    Returns:
        The number of its files.

    Raises:
        InputError: it is no such folder; names the first other files.
    """
    names = [name for name in _files(folder) if name != LIST]
    written = _read_list(folder / LIST)
    if names and not written:
        raise InputError(f"{folder}: otadet has not written this folder (no list {LIST} in it)")
    others = [name for name in names if not _as_listed(folder / name, written.get(name, []))]
    if others:
        shown = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
        raise InputError(
            f"{folder}: holds files that otadet has not written, or that have changed since "
            f"({len(others)}: {shown}); move them, or name another folder"
        )
    return len(names)


def _files(folder: Path) -> list[str]:
    """Files, links and empty folders below a folder, by path relative to it."""
    found: list[Path] = []
    for above, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(above) / name).is_symlink()]
        found += [Path(above) / name for name in (*names, *links)]
        found += [Path(above)] if not (names or folders) else []
    return sorted(path.relative_to(folder).as_posix() for path in found if path != folder)


def _as_listed(path: Path, states: Sequence[str]) -> bool:
    return any(_state(path, whole=" " in state) == state for state in states)


def _state(path: Path, whole: bool = True) -> str:
    """Size and digest of a file; of a link that it is one."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return _LINK if stat.S_ISLNK(status.st_mode) else "other"
    if not whole:
        return str(status.st_size)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    return f"{status.st_size} {digest.hexdigest()}"


def _line(name: str, state: str) -> str:
    return json.dumps([state, name]) + "\n"


def _read_list(path: Path) -> dict[str, list[str]]:
    """Read a list; states of the files by name. A line torn by a crash is passed over."""
    if not path.is_symlink() and not path.exists():
        return {}
    text = "" if path.is_symlink() else read_regular(path, "list").decode("utf-8", "replace")
    head, *lines = text.split("\n")
    if head != _HEAD:
        raise InputError(f"{path}: is not otadet's list of written files; name another folder")
    written: dict[str, list[str]] = {}
    for line in lines:
        with suppress(ValueError, TypeError, RecursionError):
            state, name = json.loads(line)
            written.setdefault(str(name), []).append(str(state))
    return written
