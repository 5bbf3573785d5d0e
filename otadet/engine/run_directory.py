"""The run directory: logging, lock, files of an older run, ``metrics.json``."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from loguru import logger
from tqdm import tqdm

from otadet.atomic import Replace, atomic_path, atomic_write, remove_parts
from otadet.errors import InputError, RunError
from otadet.regular_file import read_regular
from otadet.texts import log_text

if TYPE_CHECKING:
    from loguru import Record

_FILE_FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level} {message}"

FILE_ONLY = "file_only"
"""Bound to a log line (``logger.bind``) that goes to ``log.txt`` and not to the terminal."""


def setup_logging(folder: Path | None = None, main: bool = True, early: Iterable[str] = ()) -> None:
    """Log to the terminal, without breaking progress bars, and to ``folder/log.txt``.

    Args:
        folder: of the run; ``None`` logs to the terminal alone.
        main: other processes of a run log errors alone, to the same file.
        early: lines from before there was a folder, see :func:`buffered_log`.
    """
    logger.remove()
    logger.configure(patcher=_clean)
    if not main:  # errors of another process are logged to the terminal
        logger.add(
            sys.stderr,
            format="<level>{level: <7}</level> {message}",
            level="ERROR",
            filter=_for_terminal,
        )
        if folder is not None:
            logger.add(_to_file(folder / "log.txt"), format=_FILE_FORMAT, level="ERROR")
        return
    logger.add(
        _to_terminal,
        format="<green>{time:HH:mm:ss}</green> <level>{level: <7}</level> {message}",
        level="INFO",
        colorize=sys.stderr.isatty(),
        filter=_for_terminal,
    )
    if folder is not None:
        with (folder / "log.txt").open("a", encoding="utf-8") as file:
            file.writelines(early)
        logger.add(_to_file(folder / "log.txt"), format=_FILE_FORMAT)


def _clean(record: Record) -> None:
    """Show control characters of names from files as escapes."""
    record["message"] = log_text(record["message"])


def _to_file(path: Path) -> Callable[[str], None]:
    """Make a sink that leaves out what a full disk does not take, or where the folder is another.

    The run's end is logged to the terminal, where loguru would add its own traceback after it.
    """
    home = _identity(path.parent)

    def write(line: str) -> None:
        with suppress(OSError):
            if _identity(path.parent) == home:
                with path.open("a", encoding="utf-8") as file:
                    file.write(line)

    return write


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _to_terminal(line: str) -> None:
    try:
        tqdm.write(line, file=sys.stderr, end="")
    except BrokenPipeError:  # the reader has ended; log.txt has the line
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Redirect a stream without a reader to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _for_terminal(record: Record) -> bool:
    return FILE_ONLY not in record["extra"]


@contextmanager
def buffered_log() -> Iterator[list[str]]:
    """Also collect the lines logged in the block, before the run directory exists."""
    lines: list[str] = []
    sink = logger.add(lines.append, format=_FILE_FORMAT)
    try:
        yield lines
    finally:
        logger.remove(sink)


LOCK = ".lock"
"""Lock file of a run directory, and the mark of one; older ones are empty."""

_MARK = "run directory of otadet\n"

METRICS = "metrics.json"
"""File of the last evaluation's metrics."""

EPOCHS = "epochs"
"""Folder in the run directory with the checkpoints of single epochs."""

RUN_FILES = (
    "best.pth", "last.pth", "before_last.pth", EPOCHS, "best_detections.npz",
    "initial_weights.json", "run.json", "log.txt", "metrics.jsonl", METRICS, "metrics.csv",
    "report.html", "curves.png", "pictures", "plots", "tensorboard", "faults", "profile", "eval",
    "demo", "inspect",
)  # fmt: skip
"""Files that a run, and other commands on its checkpoints, write to the run directory."""


def is_run(folder: Path) -> bool:
    """Whether this folder is a run directory."""
    return any((folder / name).exists() for name in ("log.txt", "last.pth", "metrics.jsonl"))


def check_run_directory(folder: Path) -> None:
    """Check that a new run replaces nothing in its folder but what a run has written.

    Raises:
        InputError: the folder is no run directory and holds files of the names that a run writes.
    """
    names = [name for name in RUN_FILES if (folder / name).exists()]
    if not names:
        return
    lock = folder / LOCK
    mark = read_regular(lock, "lock", first=len(_MARK)) if lock.is_file() else None
    if mark is None or mark not in (b"", _MARK.encode()):
        raise InputError(
            f"output folder {folder}: is no run directory of otadet, and a run would replace its "
            f"{', '.join(names[:3])}; name another folder with -o"
        )


def lock_run_directory(folder: Path) -> TextIO:
    """Make the run directory and lock it for this process.

    The lock is held until the process ends, in whatever way, or closes the file.

    Raises:
        InputError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("a", encoding="utf-8")
    if not file.tell():
        file.write(_MARK)
        file.flush()
    try:
        # A record lock: loader processes, which may outlive a killed run, do not inherit it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        raise InputError(
            f"output folder {folder}: another run is writing to it; wait until it ends, or name "
            "another folder with -o"
        ) from None
    except OSError:  # a file system without locks
        logger.debug("{}: cannot be locked", folder)
    return file


def is_still_locked(folder: Path, lock: TextIO) -> bool:
    """Whether the run directory is still the one that was locked; false where it is gone.

    Raises:
        RunError: another run has made one in its place.
    """
    try:
        there = (folder / LOCK).stat()
    except FileNotFoundError:
        return False
    if not os.path.samestat(there, os.fstat(lock.fileno())):
        raise RunError(
            f"output folder {folder}: was removed, and another run writes to it now; this run ends "
            "and leaves it alone"
        )
    return True


def is_running(folder: Path) -> bool:
    """Whether a process holds the lock of a run directory; false where that cannot be known."""
    if not (folder / LOCK).exists():
        return False
    try:
        lock_run_directory(folder).close()
    except InputError:
        return True
    except OSError:  # a folder that is read-only
        return False
    return False


def prepare_run_directory(folder: Path, resume: bool) -> None:
    """Make run directory; what an older run left there moves to ``previous-1``, ``-2``..."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUN_FILES:
        remove_parts(folder / name)
    if resume:
        return
    left = [folder / name for name in RUN_FILES if (folder / name).exists()]
    if not any(path.suffix == ".pth" for path in left):
        return  # a run that never saved anything
    number = 1
    while (folder / f"previous-{number}").exists():
        number += 1
    previous = folder / f"previous-{number}"
    previous.mkdir()
    for path in left:
        path.rename(previous / path.name)
    logger.info("moved the previous run of {} to {}", folder, previous)


def write_metrics(
    folder: Path, metrics: Mapping[str, float], through: Replace = atomic_path
) -> Path:
    """Write the metrics of the last evaluation to ``metrics.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / METRICS
    atomic_write(path, json.dumps(metrics, indent=2) + "\n", through)
    return path
