"""Running means between log lines, and the totals and summary of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from tabulate import tabulate
from torch import Tensor

from otadet import dist
from otadet.engine.devices import peak_memory
from otadet.engine.state import TrainState
from otadet.engine.step import StepResult
from otadet.types import Batch


@dataclass
class RunTotals:
    """Sums over the steps since the command was started.

    Attributes:
        steps: number of steps, skipped ones included.
        skipped: steps with non-finite numbers.
        images: images of this process.
        training: seconds in steps and data loading, without evaluation and checkpoints.
        data_wait: seconds of ``training`` spent waiting for a batch.
        seconds: seconds from start to end.
        terms: names of the loss terms in order of appearance.
    """

    steps: int = 0
    skipped: float = 0.0
    images: int = 0
    training: float = 0.0
    data_wait: float = 0.0
    seconds: float = 0.0
    terms: dict[str, None] = field(default_factory=dict)


@dataclass
class RunningMetrics:
    """Sums over the steps since the last log line, kept on the device."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    terms: dict[str, None] = field(default_factory=dict)
    steps: int = 0
    images: int = 0
    dropped: int = 0
    data_wait: float = 0.0
    start: float = field(default_factory=time.perf_counter)

    def add(self, result: StepResult, batch: Batch) -> None:
        """Add a step without synchronising; a skipped step adds to the counts only."""
        self.steps += 1
        self.images += len(batch)
        self.dropped += batch.dropped
        if result.report is None:
            return
        report = result.report
        self.terms |= dict.fromkeys(report.terms)
        values = {"loss": report.total, **report.terms, **report.stats}
        for name, value in {**values, "grad_norm": result.grad_norm}.items():
            kept = torch.where(result.applied, value.float(), 0.0)
            self.sums[name] = self.sums.get(name, 0) + kept
        self.sums["applied"] = self.sums.get("applied", 0) + result.applied.float()

    def means(self, lr: Mapping[str, float], totals: RunTotals) -> dict[str, float]:
        """Return the means over the applied steps, and add the sums to ``totals``; synchronises.

        Args:
            lr: learning rates to log with them.
            totals: of the run, changed.
        """
        names = list(self.sums)
        sums = torch.stack([self.sums[n] for n in names]).tolist() if names else []
        numbers = dict(zip(names, sums))
        applied = numbers.pop("applied", 0.0)
        numbers = {k: v / applied for k, v in numbers.items()} if applied else {}
        seconds = time.perf_counter() - self.start
        totals.terms |= self.terms
        totals.steps += self.steps
        totals.skipped += self.steps - applied
        totals.images += self.images
        totals.training += seconds
        totals.data_wait += self.data_wait
        return numbers | {
            **lr,
            "seconds": seconds,
            "images_per_second": self.images / seconds,
            "data_wait": self.data_wait / seconds,
            "objects_cut_away": self.dropped / self.images,
            "steps_left_out": self.steps - applied,
        }


def summary_table(totals: RunTotals, state: TrainState, metric: str, device: torch.device) -> str:
    """Format the summary of a run; assumes that all processes are equally fast."""
    training = max(totals.training, 1e-9)
    skipped = f", {totals.skipped:.0f} skipped" if totals.skipped else ""
    resumed = f", {totals.steps} since it was resumed" if totals.steps != state.step else ""
    rows = [
        ("time", f"{totals.seconds:.0f} s, {totals.training:.0f} s of it in steps"),
        ("steps", f"{state.step}{resumed}{skipped}"),
        (
            "peak memory, main process",
            f"{peak_memory(torch.device('cpu')) / 2**30:.2f} GiB of main memory",
        ),
    ]
    if totals.steps:  # none: --resume came after the last one
        rate = totals.images * dist.world_size() / training
        rows[2:2] = [
            ("speed", f"{rate:.1f} images/s"),
            ("waiting for data", f"{totals.data_wait / training:.1%}"),
        ]
    if device.type == "cuda":
        reserved = torch.cuda.max_memory_reserved(device) / 2**30
        used = torch.cuda.max_memory_allocated(device) / 2**30
        rows.append(("peak memory, GPU", f"{used:.2f} GiB, {reserved:.2f} GiB reserved"))
    if state.best_step:
        rows.append((f"best {metric}", f"{state.best:.3f} at step {state.best_step}: best.pth"))
        rows.append(
            (f"last {metric}", f"{state.metrics[metric]:.3f} at step {state.step}: last.pth")
        )
    return str(tabulate(rows, tablefmt="plain"))
