"""Shared by the benchmarks: clocks, and result files with machine and date of a measurement."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from tabulate import tabulate

from otadet.errors import InputError

Row = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
P = ParamSpec("P")
T = TypeVar("T")


def wait(device: str) -> None:
    """Until the device has done what it was told; the CPU always has."""
    if device == "cuda":
        torch.cuda.synchronize()


def clock_of(device: str) -> Callable[[], float]:
    """CPU time where one thread does it all, so that other work on the machine counts
    little; else the time on the wall."""
    alone = device == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


class Clock:
    """Seconds of named phases. A phase that runs inside another one is counted in both.

    Args:
        device: waited for at both ends of a phase.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.now = clock_of(device)
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def timed(self, phase: str, call: Callable[P, T]) -> Callable[P, T]:
        """``call``, whose time is added to the phase's of the present step."""

        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            wait(self.device)
            start = self.now()
            result = call(*args, **kwargs)
            wait(self.device)
            self.seconds[phase][-1] += self.now() - start
            return result

        return wrapped

    def new_step(self, phases: tuple[str, ...]) -> None:
        """What follows belongs to the next step."""
        for phase in phases:
            self.seconds[phase].append(0.0)

    def median_ms(self, phase: str, skip: int = 0) -> float:
        """Median over the steps but the first ``skip``."""
        return 1e3 * statistics.median(self.seconds[phase][skip:])

    def best_ms(self, phase: str, skip: int = 0) -> float:
        """Shortest of the same."""
        return 1e3 * min(self.seconds[phase][skip:])


def refusing(main: Callable[[], None]) -> None:
    """Run a benchmark, whose bad input is one line and exit code 2."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def environment(device: str) -> Row:
    """The machine and the versions, for the record."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if device == "cuda" else cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def cpu_name() -> str:
    """Name of the CPU, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def package(name: str) -> str | None:
    """Version of an installed package, or ``None``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def show(name: str, rows: list[Row]) -> None:
    """A table under its name."""
    print(f"\n{name}")
    print(tabulate(rows, headers="keys", floatfmt=".4g"))


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation of runs with several seeds; of one run its value."""
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def write_results(path: Path, record: Row, tables: dict[str, list[Row]]) -> None:
    """``record`` and ``tables`` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**record, "tables": tables}, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")
