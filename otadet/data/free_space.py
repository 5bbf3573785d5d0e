"""Check free memory and disk space before much of it is taken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from otadet.errors import InputError

_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
_SHARED_MEMORY = Path("/dev/shm")


def free_memory(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int | None:
    """Return the bytes that this process can still take; None where the system does not say.

    The smaller of what the machine has available and what a container's limit (cgroup version 2
    or 1) leaves.
    """
    found: list[int] = []
    lines = _text(proc / "meminfo").splitlines()
    found += [int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable:")]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, now = _text(cgroup / limit).strip(), _text(cgroup / used).strip()
        if most.isdigit() and now.isdigit():
            # Pages of files count as used but are given back when they are wanted.
            stat = dict(
                x.split(" ", 1) for x in _text((cgroup / used).parent / "memory.stat").splitlines()
            )
            found.append(int(most) - int(now) + int(stat.get("inactive_file", "0")))
    return max(0, min(found)) if found else None


def free_shared_memory() -> int | None:
    """Return the bytes free in ``/dev/shm``, which containers often limit; None without it."""
    return shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else None


def check_memory(needed: int, what: str) -> None:
    """Raise before more memory is taken than is free.

    Every training process of this machine takes as much (``LOCAL_WORLD_SIZE`` of torch's launcher
    is their number), so all of them are counted.

    Raises:
        InputError: states how much is needed and how much is free.
    """
    processes = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    each = f" ({processes} processes of {_gb(needed)})" if processes > 1 else ""
    for free, name in ((free_memory(), "memory"), (free_shared_memory(), "shared memory")):
        if free is not None and needed * processes > free:
            raise InputError(
                f"{what} needs {_gb(needed * processes)} of {name}{each}, {_gb(free)} are free: "
                "cache on disk, cache smaller images (longest), or do not cache"
            )


def check_disk(needed: int, folder: Path, what: str) -> None:
    """Raise before more is written than fits on the disk of an existing folder.

    Raises:
        InputError: states how much is needed and how much is free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(f"{folder}: {what} needs {_gb(needed)} of disk, {_gb(free)} are free")


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
