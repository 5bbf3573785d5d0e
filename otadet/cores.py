"""How many CPU cores a process may use, and how many of them others use."""

from __future__ import annotations

import os

import psutil


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use.

    A container or ``taskset`` may leave it fewer than the machine has.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_cores(seconds: float = 0.5) -> float:
    """Watch for a while on how many of these cores other processes compute.

    This process waits meanwhile.

    Returns:
        A number from 0 to :func:`usable_cores`.
    """
    percent = psutil.cpu_percent(seconds, percpu=True)
    if hasattr(os, "sched_getaffinity"):
        percent = [percent[core] for core in os.sched_getaffinity(0) if core < len(percent)]
    return float(sum(percent)) / 100
