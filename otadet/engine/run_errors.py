"""Errors that end a run, as one line and an exit code."""

from __future__ import annotations

import errno
import resource
from dataclasses import dataclass

import torch
import torch.distributed as td

from otadet import dist
from otadet.engine.devices import peak_memory
from otadet.errors import InputError, PeerError, RunError
from otadet.texts import one_line
from otadet.types import Batch

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK = (*_FULL, errno.EROFS, errno.EIO)
_REFUSED = (
    errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EROFS,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EILSEQ,
)  # fmt: skip
"""A file or folder named by the user that is not accessible, of the wrong kind, or that the file
system cannot have."""

_MEMORY = (
    "DefaultCPUAllocator", "not enough memory", "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip
_GLOO = ("gloo", "Connection closed by peer", "Connection reset by peer", "Timed out waiting")
_WORKER = "DataLoader worker"
"""Torch raises a plain RuntimeError for these; there is no type to tell them by. That of a
loader process comes from a signal's handler, in the middle of whatever is being done."""


@dataclass(frozen=True)
class RunContext:
    """State of a run when an error occurred.

    Attributes:
        where: process, step and phase.
        device: of the process.
        batch: the last one, if any.
    """

    where: str
    device: torch.device
    batch: Batch | None


def to_run_error(error: Exception, at: RunContext) -> Exception:
    """Convert an error of a known kind to a one-line :class:`~otadet.errors.RunError`."""
    if isinstance(error, (InputError, RunError, FloatingPointError)):
        return error
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return RunError(_memory_line(at))
    if isinstance(error, OSError) and error.errno in _DISK:
        return RunError(f"{at.where}: {_disk_line(error)}, then continue with --resume")
    if isinstance(error, RuntimeError) and any(w in str(error) for w in _MEMORY):
        return RunError(_memory_line(at))
    if isinstance(error, RuntimeError) and _WORKER in str(error):
        first = str(error).splitlines()[0]
        return RunError(
            f"{at.where}: {first} Too little memory, or too little shared memory, is the usual "
            "reason: try fewer workers, or none to see the error itself"
        )
    if dist.world_size() > 1 and _lost_the_others(error):
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return PeerError(
            f"{at.where}: the other processes no longer answer: one of them has ended or hangs, "
            f"see above or its own log ({first})"
        )
    return error


def exit_code(error: BaseException) -> tuple[int, str] | None:
    """Return exit code and message of an error that needs no traceback, else ``None``."""
    if isinstance(error, InputError):
        return 2, str(error)
    if isinstance(error, (RunError, FloatingPointError)):
        return 1, str(error)
    if isinstance(error, OSError) and error.errno in _REFUSED and error.filename:
        return 2, f"{one_line(error.filename)}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _DISK:
        return 1, f"{_disk_line(error)}, then try again"
    return None


def _lost_the_others(error: Exception) -> bool:
    if isinstance(error, td.DistError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _GLOO)


def _disk_line(error: OSError) -> str:
    name = f"{error.filename}: " if error.filename else ""
    advice = "free disk space" if error.errno in _FULL else "fix this"
    return f"{name}{error.strerror or error}: {advice}"


def _memory_line(at: RunContext) -> str:
    batch = "no batch yet"
    if at.batch is not None:
        height, width = at.batch.images.shape[-2:]
        objects = sum(len(t) for t in at.batch.targets)
        batch = f"{len(at.batch)} images per device of {height} x {width} px with {objects} objects"
    precision = "--fp16 or --bf16, " if at.device.type == "cuda" else ""
    return (
        f"{at.where}: out of memory; {batch}; {_in_use(at.device)}; try a smaller -b, "
        f"accumulate=2 (the same batch in two parts), {precision}a smaller input_size or multiscale"
    )


def _in_use(device: torch.device) -> str:
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        mine = torch.cuda.memory_allocated(device)
        return (
            f"{mine / 2**30:.1f} GiB in tensors, {(total - free) / 2**30:.1f} of "
            f"{total / 2**30:.1f} GiB in use on {device}"
        )
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    allowed = f", {limit / 2**30:.1f} GiB allowed" if limit != resource.RLIM_INFINITY else ""
    return f"{peak_memory(device) / 2**30:.1f} GiB of main memory at most so far{allowed}"
