"""Atomic writes of files, and a lock between processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


@contextmanager
def atomic_path(path: Path, ending: str = ".part") -> Iterator[Path]:
    """Yield a temporary path whose file replaces ``path`` once the block has ended.

    A reader, or a machine that fails in between, sees the old file or the whole new one: the
    content is flushed to the disk before the rename. After an error the temporary file is removed
    and ``path`` is what it was, likewise where the block leaves no temporary file.

    Args:
        path: the file to write; its folder must exist.
        ending: appended to the name of ``path``, for libraries that choose a format by it.
    """
    part = path.with_name(path.name + ending)
    try:
        yield part
        if part.exists():
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all, see :func:`atomic_path`."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def file_lock(path: Path) -> FileLock:
    """Lock ``<path>.lock``, as a context: one process at a time works on ``path``, others wait.

    The lock ends with the process, however that ends.
    """
    return FileLock(f"{path}.lock")
