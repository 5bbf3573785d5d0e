"""Memory-mapped file of decoded images, named by the files that they were decoded from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from otadet.atomic import atomic_path
from otadet.errors import InputError

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_MAGIC = b"otadet pictures\n"  # a number behind it would be the second layout


@runtime_checkable
class Fingerprinted(Protocol):
    """A data set of image files."""

    def fingerprint(self) -> str:
        """Return a text that differs whenever an image file may have changed."""
        ...


def content_key(dataset: object, shapes: Ints) -> str:
    """Return a name for the images of a data set in these sizes.

    Raises:
        InputError: the data set is not one of files.
    """
    if not isinstance(dataset, Fingerprinted):
        raise InputError(
            f"a cache on disk needs a data set of image files, got {type(dataset).__name__}, "
            "which generates its images: cache in memory"
        )
    digest = hashlib.sha256(shapes.tobytes())
    digest.update(dataset.fingerprint().encode())
    return digest.hexdigest()[:20]


@dataclass(frozen=True)
class MappedPixels:
    """Cache file: magic, ``[count]`` int64 origins, pixels. Pickles as its path.

    Attributes:
        path: of the file.
        count: number of images.
        total: bytes of their pixels.
    """

    path: Path
    count: int
    total: int

    def is_complete(self) -> bool:
        """Return whether the file exists, with this layout and length."""
        try:
            with self.path.open("rb") as file:
                known = file.read(len(_MAGIC)) == _MAGIC
            return known and self.path.stat().st_size == self._begin + self.total
        except FileNotFoundError:
            return False

    def write(self, fill: Callable[[Bytes], Ints]) -> None:
        """Write the file, whole or not at all.

        Args:
            fill: writes the pixels ``[total]`` uint8 and returns the origins ``[count]`` int64.
        """
        size = self._begin + self.total
        with atomic_path(self.path) as part:
            _allocate(part, size)
            content = np.memmap(part, np.uint8, "r+", shape=(size,))
            content[: len(_MAGIC)] = np.frombuffer(_MAGIC, np.uint8)
            content[len(_MAGIC) : self._begin].view(np.int64)[:] = fill(content[self._begin :])
            content.flush()

    def origin(self) -> Ints:
        """``[count]`` int64, see :class:`~otadet.data.cache.Cached`."""
        return np.fromfile(self.path, np.int64, self.count, offset=len(_MAGIC))

    def bytes(self) -> Bytes:
        """``[total]`` uint8, read-only."""
        return _mapped(self.path, self._begin, self.total)

    @property
    def _begin(self) -> int:
        return len(_MAGIC) + 8 * self.count


def _allocate(path: Path, size: int) -> None:
    """Make a file that has all its blocks: writing to a map of a full disk kills the process."""
    with path.open("wb") as file:
        try:
            if hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None


@lru_cache(maxsize=16)
def _mapped(path: Path, begin: int, total: int) -> Bytes:
    """Map a file once a process; forked workers inherit the map."""
    return np.memmap(path, np.uint8, "r", offset=begin, shape=(total,))
