"""Profiling of training steps with torch's profiler: a trace and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from loguru import logger
from torch.profiler import ProfilerActivity, profile, schedule

SKIPPED, STEPS = 9, 10
"""Steps before the recorded ones (one more warms the profiler up), and recorded steps."""


@contextmanager
def profiled(folder: Path | None, device: torch.device) -> Iterator[Callable[[], None]]:
    """Profile steps 11 to 20 inside the block, to ``folder``; ``None`` profiles nothing.

    Yields:
        What to call after each step.
    """
    if folder is None:
        yield lambda: None
        return
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    order = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    done: list[Path] = []

    def write(profiler: profile) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        trace, table = folder / "trace.json.gz", folder / "table.txt"
        profiler.export_chrome_trace(str(trace))
        table.write_text(
            profiler.key_averages().table(sort_by=order, row_limit=60) + "\n", encoding="utf-8"
        )
        done.append(trace)
        logger.info("profile of {} steps: {} (for ui.perfetto.dev), {}", STEPS, trace, table)

    plan = schedule(wait=SKIPPED, warmup=1, active=STEPS, repeat=1)
    with profile(activities=activities, schedule=plan, on_trace_ready=write) as profiler:
        yield profiler.step
    if not done:
        logger.warning("--profile: the run ended before step {}", SKIPPED + 1 + STEPS)
