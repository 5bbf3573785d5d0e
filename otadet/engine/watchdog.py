"""A run that no longer moves ends with a message instead of waiting forever."""

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
    """Knows what the loop is doing, and ends the process when it does that for too long.

    A process that was stopped and continued from outside starts its time anew.

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
        """Something begins: the loop still moves."""
        self.phase = phase
        self._time = time.monotonic()

    @property
    def where(self) -> str:
        """Process, step and phase, for messages."""
        rank = f"rank {dist.rank()}, " if dist.world_size() > 1 else ""
        return f"{rank}step {self.step}, {self.phase}"

    @contextmanager
    def watching(self) -> Iterator[None]:
        """NonFiniteMonitor while this is open."""
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
            if now - before > 3 * pause + 1:  # this thread stood still too: all of us were stopped
                self._time = now
            before = now
            if now - self._time > self.limit:
                self._bark()

    def _bark(self) -> None:
        logger.error(
            "{}: nothing has moved for {:.0f} s (--hang-timeout); the process ends here, what "
            "each of its threads was doing follows; --resume goes on from the last checkpoint",
            self.where, self.limit,
        )  # fmt: skip
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        if self.log is not None and self.log.parent.is_dir():
            with self.log.open("a", encoding="utf-8") as file:
                faulthandler.dump_traceback(file=file, all_threads=True)
        # Not sys.exit: the thread that hangs would have to take part in it.
        os._exit(1)
