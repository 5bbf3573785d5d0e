"""Progress of a comparison: a bar on a terminal, one log line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from loguru import logger
from tqdm import tqdm

from otadet.compare.metrics_file import last_step
from otadet.compare.plan import Run
from otadet.engine.progress import SECONDS


class ComparisonProgress:
    """Progress over the steps of all runs, those of earlier starts among them.

    Args:
        runs: of the comparison.
        done: those that were done before.
    """

    def __init__(self, runs: Sequence[Run], done: Collection[Run]) -> None:
        self._numbers = {run.name: number for number, run in enumerate(runs, 1)}
        self._steps = {run.name: self._step(run) for run in runs}
        self._steps.update({run.name: run.steps for run in done})
        self._bar = tqdm(
            total=sum(run.steps for run in runs), initial=sum(self._steps.values()), unit="step",
            dynamic_ncols=True, disable=None,
        )  # fmt: skip
        self._began = self._logged = time.monotonic()
        self._first = sum(self._steps.values())

    def update(self, active: Sequence[Run], ended: Sequence[Run]) -> None:
        """Show which runs are active, at which step, and the time that is left."""
        self._steps.update({run.name: self._step(run) for run in active})
        self._steps.update({run.name: run.steps for run in ended})
        done = sum(self._steps.values())
        text = self._text(active)
        self._bar.set_description(text, refresh=False)
        self._bar.update(done - self._bar.n)
        now = time.monotonic()
        if self._bar.disable and now - self._logged >= SECONDS:
            self._logged = now
            logger.info("{}: {} left", text, self._left(done))

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def _step(self, run: Run) -> int:
        return run.steps if run.existing else min(last_step(run.folder), run.steps)

    def _text(self, active: Sequence[Run]) -> str:
        each = [f"run {self._numbers[run.name]} of {len(self._numbers)} ({run.name}, step "
                f"{self._steps[run.name]}/{run.steps})" for run in active]  # fmt: skip
        return "; ".join(each)

    def _left(self, done: int) -> str:
        rate = (done - self._first) / (time.monotonic() - self._began)
        return tqdm.format_interval((self._bar.total - done) / rate) if rate else "?"
