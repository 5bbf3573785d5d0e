"""The file of a cache on disk: written whole or not at all, known by what it was made from."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from otadet.errors import InputError

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_MAGIC = b"otadet pictures\n"  # a number behind it would be the second layout


@runtime_checkable
class OfFiles(Protocol):
    """A data set that can say what its image files are."""

    def fingerprint(self) -> str:
        """Another text whenever the pictures may be others."""
        ...


def content_key(dataset: object, shapes: Ints) -> str:
    """A name for the pictures of a data set in these sizes.

    Raises:
        InputError: the data set is not one of files.
    """
    if not isinstance(dataset, OfFiles):
        raise InputError(
            f"a cache on disk needs a data set of image files, got {type(dataset).__name__}, "
            "which makes its pictures: cache in memory"
        )
    digest = hashlib.sha256(shapes.tobytes())
    digest.update(dataset.fingerprint().encode())
    return digest.hexdigest()[:20]


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process, however that ends."""
    with target.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Mapped:
    """A finished file: magic, ``[count]`` int64 origins, pixels. Pickles as its path."""

    path: Path
    count: int
    total: int

    @staticmethod
    def open(path: Path, count: int, total: int) -> Mapped | None:
        """The file, or None where it is missing, another one, or not of the right length."""
        try:
            with path.open("rb") as file:
                known = file.read(len(_MAGIC)) == _MAGIC
            known = known and path.stat().st_size == _begin(count) + total
        except FileNotFoundError:
            return None
        return Mapped(path, count, total) if known else None

    def origin(self) -> Ints:
        """``[count]`` int64, see :class:`~otadet.data.cache.Cached`."""
        return np.fromfile(self.path, np.int64, self.count, offset=len(_MAGIC))

    def bytes(self) -> Bytes:
        """``[total]`` uint8, read-only."""
        return _mapped(self.path, _begin(self.count), self.total)


class Writing:
    """A file in the making, as a context: renamed to ``target`` at the end, deleted on an error.

    Attributes:
        origin: ``[count]`` int64, to be written to.
        pixels: ``[total]`` uint8, to be written to.
    """

    def __init__(self, target: Path, count: int, total: int) -> None:
        self._target = target
        self._part = target.with_suffix(".part")
        size = _begin(count) + total
        _take(self._part, size)
        self._file = np.memmap(self._part, np.uint8, "r+", shape=(size,))
        self._file[: len(_MAGIC)] = np.frombuffer(_MAGIC, np.uint8)
        self.origin: Ints = self._file[len(_MAGIC) : _begin(count)].view(np.int64)
        self.pixels: Bytes = self._file[_begin(count) :]

    def __enter__(self) -> Writing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._part.unlink()
            return
        self._file.flush()
        self._part.replace(self._target)


def _take(path: Path, size: int) -> None:
    """Make a file that has all its blocks: where the disk is full later on, writing to a map ends
    the process by a signal, without a word."""
    with path.open("wb") as file:
        try:
            if hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            path.unlink()
            raise OSError(error.errno, error.strerror, str(path)) from None


def _begin(count: int) -> int:
    return len(_MAGIC) + 8 * count


@lru_cache(maxsize=16)
def _mapped(path: Path, begin: int, total: int) -> Bytes:
    """One map a process and file; workers that are forked have it already."""
    return np.memmap(path, np.uint8, "r", offset=begin, shape=(total,))
