"""Watchdog: ends a hanging run with a message and the stacks of its threads."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loguru import logger

from otadet import dist


class Watchdog:
    """Timer that ends the process when no phase begins for too long.

    The timer restarts when the process was suspended and continued.

    Args:
        limit: seconds without a mark; 0 never ends anything.
        log: file that gets the stacks of all threads, besides standard error.

    Attributes:
        step: of the last mark, 1 for the first.
        phase: of the last mark.
    """

    def __init__(self, limit: float, log: Path | None = None) -> None:
        self.limit = limit
        self.log = log
        self.step = 0
        self.phase = "start"
        self._time = time.monotonic()
        self._end = threading.Event()

    def mark(self, phase: str) -> None:
        """Record the begin of a phase and restart the timer."""
        self.phase = phase
        self._time = time.monotonic()

    @property
    def where(self) -> str:
        """Process, step and phase for messages."""
        rank = f"rank {dist.rank()}, " if dist.world_size() > 1 else ""
        return f"{rank}step {self.step}, {self.phase}"

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Run the timer in the block."""
        if self.limit <= 0:
            yield
            return
        self.mark("start")
        self._end.clear()
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _watch(self) -> None:
        pause = min(5.0, self.limit / 4)
        before = time.monotonic()
        while not self._end.wait(pause):
            now = time.monotonic()
            if now - before > 3 * pause + 1:  # this thread was suspended too: the whole process was
                self._time = now
            before = now
            if now - self._time > self.limit:
                self._bark()

    def _bark(self) -> None:
        logger.error(
            "{}: no progress for {:.0f} s (--hang-timeout); the process ends here, the stacks of "
            "its threads follow; --resume continues from the last checkpoint",
            self.where, self.limit,
        )  # fmt: skip
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        if self.log is not None and self.log.parent.is_dir():
            with self.log.open("a", encoding="utf-8") as file:
                faulthandler.dump_traceback(file=file, all_threads=True)
        # Not sys.exit, which needs the hanging thread.
        os._exit(1)
