"""Atomic writes of files, and a lock between processes."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

Replace = Callable[[Path, str, bool], AbstractContextManager[Path]]
"""A function with the arguments of :func:`atomic_path`."""


@contextmanager
def atomic_path(path: Path, ending: str = ".part", sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path whose file replaces ``path`` once the block has ended.

    A reader sees the old file or the whole new one. After an error the temporary file is removed
    and ``path`` is what it was, likewise where the block leaves no temporary file.

    Args:
        path: the file to write; its folder must exist.
        ending: of the temporary name, for libraries that choose a format by it.
        sync: flush to the disk before the rename, so that a machine that fails in between leaves
            the old file or the new one too.

    Raises:
        OSError: of the block or the rename; it names ``path``, not the temporary file.
    """
    part = path.with_name(f"{_beginning(path)}{secrets.token_hex(8)}{ending}")
    try:
        yield part
        if part.exists():
            if sync:
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
            part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and _is_of(error, part):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def _is_of(error: OSError, part: Path) -> bool:
    """Whether an error is that of writing the temporary file; a full disk's names no file."""
    return error.filename == str(part) or (error.filename is None and error.errno in _FULL)


def atomic_write(path: Path, text: str, through: Replace = atomic_path) -> None:
    """Write a text file in UTF-8, whole or not at all, see :func:`atomic_path`.

    Surrogates, which UTF-8 does not have, become escapes.
    """
    with through(path, ".part", True) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def remove_parts(path: Path) -> None:
    """Remove the temporary files of ``path`` that killed processes have left.

    For a process that holds a lock, so that nobody else writes the file.
    """
    for left in path.parent.glob(f"{_beginning(path)}*"):
        left.unlink(missing_ok=True)


def _beginning(path: Path) -> str:
    """How the temporary names of a file begin, short for a long name; nobody else's do."""
    digest = hashlib.blake2s(os.fsencode(path.name), digest_size=5).hexdigest()
    return f".otadet-{digest}-"


def file_lock(path: Path) -> FileLock:
    """Lock ``<path>.lock``, as a context: one process at a time works on ``path``, others wait.

    The lock ends with the process, however that ends.
    """
    return FileLock(f"{path}.lock")
