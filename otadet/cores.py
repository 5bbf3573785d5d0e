"""How many CPU cores a process may use, and how many of them others use."""

from __future__ import annotations

import os
import time
from pathlib import Path

_IDLE = slice(3, 5)  # of a line of /proc/stat: time without work, and waiting for a disk


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use.

    A container or ``taskset`` may leave it fewer than the machine has.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_cores(seconds: float = 0.5) -> float | None:
    """Watch for a while on how many of these cores other processes compute.

    This process waits meanwhile.

    Returns:
        A number from 0 to :func:`usable_cores`; ``None`` where it is not known: on Linux alone it
        is.
    """
    before = _core_times()
    if before is None:
        return None
    time.sleep(seconds)
    busy = 0.0
    for core, after in (_core_times() or {}).items():
        spent = [b - a for a, b in zip(before[core], after)]
        busy += 1 - sum(spent[_IDLE]) / max(1, sum(spent))
    return busy


def _core_times() -> dict[int, list[int]] | None:
    """Ticks of each usable core by what they were spent on."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        usable = os.sched_getaffinity(0)
    except (OSError, AttributeError):
        return None
    words = [line.split() for line in lines if line.startswith("cpu") and line[3].isdigit()]
    # Of ten numbers the last two, guests, are part of the first two.
    times = {int(name[3:]): list(map(int, ticks[:8])) for name, *ticks in words}
    return {core: times[core] for core in usable} if usable <= times.keys() else None
