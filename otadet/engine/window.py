"""The numbers of the last few steps, on their way to a line of the log."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor

from otadet.engine.step import Taken
from otadet.engine.summary import Totals
from otadet.types import Batch


class Window:
    """Sums over the steps between two log lines, kept on the device until they are written."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.terms: dict[str, None] = {}
        self.steps = 0
        self.images = 0
        self.dropped = 0
        self.wait = 0.0
        self.start = time.perf_counter()

    def add(self, taken: Taken, batch: Batch) -> None:
        """Take the numbers of one step without waiting for them; one left out counts as that."""
        self.steps += 1
        self.images += len(batch)
        self.dropped += batch.dropped
        if taken.report is None:
            return
        report = taken.report
        self.terms |= dict.fromkeys(report.terms)
        values = {
            "loss": report.total,
            **report.terms,
            **report.stats,
            "grad_norm": taken.grad_norm,
        }
        for name, value in values.items():
            kept = torch.where(taken.ok, value.float(), 0.0)
            self.sums[name] = self.sums.get(name, 0) + kept
        self.sums["taken"] = self.sums.get("taken", 0) + taken.ok.float()

    def flush(self, lr: Mapping[str, float], totals: Totals) -> dict[str, float]:
        """Return means over the steps that were taken since the last flush, which are added to the
        run's ``totals``, beside the learning rates; synchronises with the device."""
        names = list(self.sums)
        sums = torch.stack([self.sums[n] for n in names]).tolist() if names else []
        numbers = dict(zip(names, sums))
        taken = numbers.pop("taken", 0.0)
        numbers = {k: v / taken for k, v in numbers.items()} if taken else {}
        seconds = time.perf_counter() - self.start
        numbers |= {
            **lr,
            "images_per_second": self.images / seconds,
            "data_wait": self.wait / seconds,
            "objects_cut_away": self.dropped / self.images,
            "steps_left_out": self.steps - taken,
        }
        totals.terms |= self.terms
        totals.steps += self.steps
        totals.left_out += self.steps - taken
        totals.images += self.images
        totals.training += seconds
        totals.waited += self.wait
        self.__init__()  # type: ignore[misc]
        return numbers
