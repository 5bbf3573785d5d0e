"""Reports of how the processes of a run ended; the launcher logs the first cause."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from otadet.atomic import atomic_write

_FOLDER = "OTADET_ENDINGS"
_STOP = "stop_signal"


@dataclass(frozen=True)
class Ending:
    """Report of how a process ended.

    Attributes:
        rank: of the process.
        code: its exit code.
        line: what is logged.
        lost: whether it only lost the other processes, which know the cause.
        time: seconds.
    """

    rank: int
    code: int
    line: str
    lost: bool
    time: float


@contextmanager
def gathered() -> Iterator[Path]:
    """Provide a folder for the reports of the processes started in the block."""
    with tempfile.TemporaryDirectory(prefix="otadet-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ[_FOLDER]


def are_gathered() -> bool:
    """Whether our launcher logs the reports of this process and the others."""
    return _FOLDER in os.environ


def leave(rank: int, code: int, line: str, lost: bool) -> bool:
    """Write the report of this process; returns whether it could be written."""
    try:
        atomic_write(_path(rank), json.dumps(asdict(Ending(rank, code, line, lost, time.time()))))
    except OSError:  # the disk may be full
        return False
    return True


def forget(rank: int) -> None:
    """Remove the report of an earlier start of this process."""
    _path(rank).unlink(missing_ok=True)


def leave_stop_signal(folder: Path, number: int) -> None:
    """Tell processes that are started from now on which signal ends the run."""
    with suppress(OSError):  # the disk may be full
        (folder / _STOP).write_text(str(number), encoding="utf-8")


def stop_signal() -> int | None:
    """Return the signal that ended the run before this process was started."""
    try:
        return int((Path(os.environ[_FOLDER]) / _STOP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read(folder: Path) -> dict[int, Ending]:
    """Read the reports in ``folder`` by rank."""
    endings = [
        Ending(**json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")
    ]
    return {e.rank: e for e in endings}


def first_cause(endings: dict[int, Ending]) -> Ending | None:
    """Return the earliest report that is not the loss of other processes."""
    return min(endings.values(), key=lambda e: (e.lost, e.time), default=None)


def _path(rank: int) -> Path:
    return Path(os.environ[_FOLDER]) / f"{rank}.json"
