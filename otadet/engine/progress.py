"""Progress of a run: a bar on a terminal, one log line a minute elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from loguru import logger
from tqdm import tqdm

SECONDS = 60.0
"""Seconds between two log lines."""

_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{remaining}, {rate_fmt}{postfix}]"
"""tqdm's own without the time that has passed, so that 80 columns leave room for a bar."""


class Progress:
    """Progress bar on a terminal, one log line a minute elsewhere.

    Args:
        name: label of the bar.
        total: steps of the run.
        step: steps already done.
        epoch_steps: steps of an epoch.
        shown: false in all but the main process.
        clock: returns seconds.
    """

    def __init__(
        self, name: str, total: int, step: int, epoch_steps: int, shown: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.bar = tqdm(
            total=total, initial=step, desc=name, unit="step", dynamic_ncols=True, mininterval=0.5,
            bar_format=_FORMAT, disable=None if shown else True,
        )  # fmt: skip
        self.name, self.total, self.first = name, total, step
        self.epoch_steps, self.epochs = epoch_steps, math.ceil(total / epoch_steps)
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

    def new_total(self, total: int) -> None:
        """Take over the steps of a run whose length was planned anew."""
        self.total, self.epochs = total, math.ceil(total / self.epoch_steps)
        self.bar.total = total
        self.bar.refresh()

    def numbers(self, step: int, loss: float, *more: str) -> None:
        """Show the loss and more; log a line if the last one is a minute old."""
        epoch = f"epoch {math.ceil(step / self.epoch_steps)}/{self.epochs}"
        text = ", ".join([f"loss {loss:.3f}", *(each for each in more if each)])
        self.bar.set_description_str(f"{self.name} {epoch}", refresh=False)
        self.bar.set_postfix_str(text)
        now = self.clock()
        if not self.lines or now - self.logged < SECONDS:
            return
        self.logged = now
        rate = (step - self.first) / (now - self.began)  # includes evaluations, as the rest will
        left = tqdm.format_interval((self.total - step) / rate) if rate else "?"
        logger.info("step {}/{}, {}: {}, {} left", step, self.total, epoch, text, left)
