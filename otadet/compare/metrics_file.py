"""What ``metrics.jsonl`` says of a run: its last step, its speed, its memory, its curves."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otadet.engine.loggers import read_metrics

Line = dict[str, Any]


def last_step(folder: Path) -> int:
    """Return the last step that a run has logged; 0 before the first."""
    return max((int(line["step"]) for line in read_metrics(folder)), default=0)


def seconds_a_step(lines: Sequence[Line], batch_size: int) -> float | None:
    """Return the median over the training lines but the first, which holds the start."""
    train = [line for line in lines if line["kind"] == "train"]
    rates = [line["images_per_second"] for line in train[1:] or train]
    return statistics.median(batch_size / rate for rate in rates) if rates else None


def seconds_in_steps(lines: Sequence[Line], batch_size: int) -> float:
    """Return the seconds in steps, waiting for data included, evaluations not."""
    total, before = 0.0, 0
    for line in (each for each in lines if each["kind"] == "train"):
        total += (line["step"] - before) * batch_size / line["images_per_second"]
        before = line["step"]
    return total


def peak_memory_mib(lines: Sequence[Line]) -> float | None:
    """Return the largest peak memory; ``None`` for older runs, which log none."""
    return max((line["peak_memory_mib"] for line in lines if "peak_memory_mib" in line),
               default=None)  # fmt: skip
