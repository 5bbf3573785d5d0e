"""Progress of a run: a bar on a terminal, one log line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from loguru import logger
from tqdm import tqdm

SECONDS = 60.0
"""Seconds between two log lines."""


class Progress:
    """Progress bar on a terminal, one log line a minute elsewhere.

    Args:
        name: label of the bar.
        total: steps of the run.
        step: steps already done.
        shown: false in all but the main process.
        clock: returns seconds.
    """

    def __init__(
        self, name: str, total: int, step: int, shown: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.bar = tqdm(
            total=total, initial=step, desc=name, unit="step", dynamic_ncols=True, mininterval=0.5,
            disable=None if shown else True,
        )  # fmt: skip
        self.total = total
        self.first = step
        self.clock = clock
        self.began = self.logged = clock()
        self.lines = shown and bool(self.bar.disable)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self) -> None:
        """Advance by one step."""
        self.bar.update()

    def numbers(self, step: int, loss: float) -> None:
        """Show the loss; log a line if the last one is a minute old."""
        self.bar.set_postfix_str(f"loss {loss:.3f}")
        now = self.clock()
        if not self.lines or now - self.logged < SECONDS:
            return
        self.logged = now
        rate = (step - self.first) / (now - self.began)  # includes evaluations, as the rest will
        left = tqdm.format_interval((self.total - step) / rate) if rate else "?"
        logger.info("step {}/{}: loss {:.3f}, {} left", step, self.total, loss, left)
