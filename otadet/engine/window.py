"""The numbers of the last few steps, on their way to a line of the log."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from otadet.types import LossReport

ADVICE = "the last checkpoint is whole; try a lower lr, clip_grad=10, or fp32"
"""What to do when a number is no longer finite."""


class Window:
    """Sums over the steps between two log lines, kept on the device until they are written."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.steps = 0
        self.images = 0
        self.wait = 0.0
        self.start = time.perf_counter()

    def add(self, report: LossReport, images: int) -> None:
        """Take the numbers of one step without waiting for them."""
        values = {"loss": report.total.detach(), **report.terms, **report.stats}
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + value.float()
        self.steps += 1
        self.images += images

    def flush(self, step: int, lr: float) -> dict[str, float]:
        """Means since the last flush; waits for the device.

        Raises:
            FloatingPointError: where a mean is not finite; names the terms and the steps.
        """
        names = list(self.sums)
        means = (torch.stack([self.sums[n] for n in names]) / self.steps).tolist()
        numbers = dict(zip(names, means))
        if not all(map(math.isfinite, means)):
            bad = ", ".join(n for n, v in numbers.items() if not math.isfinite(v))
            raise FloatingPointError(
                f"the loss is not finite within the {self.steps} steps up to {step}: {bad}; "
                f"{ADVICE}"
            )
        seconds = time.perf_counter() - self.start
        numbers |= {
            "lr": lr,
            "images_per_second": self.images / seconds,
            "data_wait": self.wait / seconds,
        }
        self.__init__()  # type: ignore[misc]
        return numbers
