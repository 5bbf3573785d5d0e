"""Read a file that somebody else made: a regular file, of a size that is looked at first."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from otadet.errors import InputError

MAX_BYTES = 1 << 32
"""Largest file that is read as a whole, unless a caller allows less."""

_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def read_regular(path: Path, kind: str, limit: int = MAX_BYTES, first: int | None = None) -> bytes:
    """Read a file, or the beginning of it; a pipe or a device is refused and never waited for.

    Args:
        path: the file; links are followed.
        kind: what messages call it, such as ``annotation file``.
        limit: largest size in bytes that is accepted.
        first: number of bytes to read; default: all.

    Raises:
        InputError: missing, unreadable, no regular file, or larger than ``limit``.
    """
    with open_regular(path, kind, limit) as (file, size):
        # Never more than was looked at, also where the file grows meanwhile.
        return file.read(size if first is None else first)


@contextmanager
def open_regular(path: Path, kind: str, limit: int = MAX_BYTES) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file as :func:`read_regular` does; yields it and its size in bytes.

    Raises:
        InputError: likewise, also for an error of the disk while the block reads.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {_why(error, kind)}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            found = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise InputError(f"{path}: {kind} cannot be read (expected a file, got {found})")
        if status.st_size > limit:
            raise InputError(
                f"{path}: {kind} cannot be read (expected at most {limit:,} bytes, got "
                f"{status.st_size:,})"
            )
        with open(descriptor, "rb", closefd=False) as file:
            yield file, status.st_size
    except OSError as error:
        raise InputError(f"{path}: {_why(error, kind)}") from None
    finally:
        os.close(descriptor)


_BINARY = getattr(os, "O_BINARY", 0)


def _why(error: OSError | ValueError, kind: str) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{kind} not found"
    if isinstance(error, OSError):
        if error.errno == errno.ENAMETOOLONG:
            return f"{kind} not found (its name is too long)"
        return f"{kind} cannot be read ({error.strerror})"
    fault = "is no valid text" if isinstance(error, UnicodeError) else "holds a NUL character"
    return f"{kind} not found (its name {fault})"
