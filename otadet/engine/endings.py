"""Why the processes of a run ended: each leaves its line, and the launcher logs the first cause."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from otadet.atomic import atomic_write

_FOLDER = "OTADET_ENDINGS"


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Attributes:
        rank: of the process.
        code: its exit code.
        line: what is logged.
        lost: whether it only lost the others, which know the cause.
        time: seconds.
    """

    rank: int
    code: int
    line: str
    lost: bool
    time: float


@contextmanager
def gathered() -> Iterator[Path]:
    """A folder that the processes started inside the block leave their endings in."""
    with tempfile.TemporaryDirectory(prefix="otadet-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ[_FOLDER]


def are_gathered() -> bool:
    """Whether a launcher of ours logs the endings of this process and of the others."""
    return _FOLDER in os.environ


def leave(rank: int, code: int, line: str, lost: bool) -> bool:
    """Tell the launcher how this process ends; returns whether it could be written."""
    try:
        atomic_write(_path(rank), json.dumps(asdict(Ending(rank, code, line, lost, time.time()))))
    except OSError:  # the disk may be full
        return False
    return True


def forget(rank: int) -> None:
    """Remove what an earlier start of this process has left."""
    _path(rank).unlink(missing_ok=True)


def read(folder: Path) -> dict[int, Ending]:
    """The endings in ``folder`` by rank."""
    endings = [
        Ending(**json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")
    ]
    return {e.rank: e for e in endings}


def first_cause(endings: dict[int, Ending]) -> Ending | None:
    """The ending that explains the others: the earliest that is not the loss of other processes."""
    return min(endings.values(), key=lambda e: (e.lost, e.time), default=None)


def _path(rank: int) -> Path:
    return Path(os.environ[_FOLDER]) / f"{rank}.json"
