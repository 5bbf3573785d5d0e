"""What a run took and what it came to, in one table."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass, field

import torch
from tabulate import tabulate

from otadet import dist
from otadet.engine.state import TrainState


@dataclass
class Totals:
    """Sums over the steps that this start of the command took.

    Attributes:
        steps: including those left out.
        left_out: steps whose numbers were not finite.
        images: of this process.
        training: seconds in steps and waiting for data; evaluation and saving are not in it.
        waited: seconds of it without a batch.
        seconds: from start to end.
        terms: names of the loss terms, in the order in which they came.
    """

    steps: int = 0
    left_out: float = 0.0
    images: int = 0
    training: float = 0.0
    waited: float = 0.0
    seconds: float = 0.0
    terms: dict[str, None] = field(default_factory=dict)


def host_memory() -> int:
    """Most bytes of main memory that this process has held at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def summary(totals: Totals, state: TrainState, metric: str, device: torch.device) -> str:
    """The table. Images a second are those of all processes, taken as equally fast."""
    rate = totals.images * dist.world_size() / max(totals.training, 1e-9)
    left_out = f", {totals.left_out:.0f} of them left out" if totals.left_out else ""
    rows = [
        ("time", f"{totals.seconds:.0f} s, {totals.training:.0f} s of it in steps"),
        ("steps", f"{totals.steps} here, {state.step} in all{left_out}"),
        ("peak memory, main process", f"{host_memory() / 2**30:.2f} GiB of main memory"),
    ]
    if totals.steps:  # none: --resume came after the last one
        rows[2:2] = [
            ("speed", f"{rate:.1f} images/s"),
            ("waiting for data", f"{totals.waited / max(totals.training, 1e-9):.1%}"),
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
