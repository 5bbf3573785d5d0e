"""How far a run is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from loguru import logger
from tqdm import tqdm

SECONDS = 60.0
"""Between two lines: a log of days stays readable, and a run that stands still is seen."""


class Progress:
    """A bar that a log file is spared: redrawing one there makes lines nobody can read.

    Args:
        name: of the run.
        total: steps of the run.
        step: steps that are behind it.
        shown: other processes say nothing.
        clock: seconds, from any beginning.
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
        self.began = self.said = clock()
        self.lines = shown and bool(self.bar.disable)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self) -> None:
        """A step was taken."""
        self.bar.update()

    def numbers(self, step: int, loss: float) -> None:
        """What the last steps came to; a line where the last one is a minute old."""
        self.bar.set_postfix_str(f"loss {loss:.3f}")
        now = self.clock()
        if not self.lines or now - self.said < SECONDS:
            return
        self.said = now
        rate = (step - self.first) / (now - self.began)  # evaluations are in it, as they are ahead
        left = tqdm.format_interval((self.total - step) / rate) if rate else "?"
        logger.info("step {}/{}: loss {:.3f}, {} left", step, self.total, loss, left)
