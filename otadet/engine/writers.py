"""Where a run's numbers go: a log file, JSON lines, TensorBoard where it is installed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loguru import logger
from tqdm import tqdm

_FILE_FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level} {message}"


def setup_logging(folder: Path | None = None, main: bool = True, early: Iterable[str] = ()) -> None:
    """Log to the terminal, without breaking progress bars, and to ``folder/log.txt``.

    Args:
        folder: of the run; ``None`` logs to the terminal alone.
        main: other processes of a run log nothing.
        early: lines from before there was a folder, see :func:`remembered`.
    """
    logger.remove()
    if not main:
        return
    logger.add(
        lambda line: tqdm.write(line, file=sys.stderr, end=""),
        format="<green>{time:HH:mm:ss}</green> <level>{level: <7}</level> {message}",
        level="INFO",
        colorize=sys.stderr.isatty(),
    )
    if folder is not None:
        with (folder / "log.txt").open("a") as file:
            file.writelines(early)
        logger.add(folder / "log.txt", format=_FILE_FORMAT)


@contextmanager
def remembered() -> Iterator[list[str]]:
    """Keep what is logged inside the block as well: a run has no folder before its input is
    known to be good."""
    lines: list[str] = []
    sink = logger.add(lines.append, format=_FILE_FORMAT)
    try:
        yield lines
    finally:
        logger.remove(sink)


def open_folder(folder: Path, resume: bool) -> None:
    """Make the folder of a run; a run that was there before moves to ``<folder>.previous``."""
    if not resume and (folder / "metrics.jsonl").exists():
        previous = folder.with_name(folder.name + ".previous")
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
        logger.info("the run that was in {} is now in {}", folder, previous)
    folder.mkdir(parents=True, exist_ok=True)


class MetricWriter:
    """Appends one JSON object a line to ``metrics.jsonl``, and scalars to TensorBoard.

    Args:
        folder: the run's folder.
        resume_step: lines of later steps, from a part of the run that is done again, are dropped;
            ``None`` starts a new file.
    """

    def __init__(self, folder: Path, resume_step: int | None = None) -> None:
        self.path = folder / "metrics.jsonl"
        kept: list[str] = []
        if resume_step is not None and self.path.exists():
            lines = self.path.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= resume_step]
        self.path.write_text("".join(line + "\n" for line in kept))
        self._file = self.path.open("a", buffering=1)
        self._board = _tensorboard(folder)

    def write(self, step: int, kind: str, values: Mapping[str, Any]) -> None:
        """Numbers of a step; ``kind`` is ``train`` or ``val``."""
        self._file.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
