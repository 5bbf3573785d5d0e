"""Devices of ``-d``, memory format, threads and workers, determinism, peak memory."""

from __future__ import annotations

import os
import re
import resource
import sys
from dataclasses import dataclass
from typing import Literal

import torch

from otadet import dist
from otadet.cores import usable_cores
from otadet.data.findings import counted
from otadet.errors import InputError


@dataclass(frozen=True)
class Devices:
    """The devices of one machine.

    Attributes:
        kind: ``cuda``, ``mps`` or ``cpu``.
        indices: one entry a process; the GPU's index, or the process's number elsewhere.
    """

    kind: str
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def device(self, process: int) -> torch.device:
        """Return the device of a process of this machine."""
        if self.kind == "cuda":
            return torch.device("cuda", self.indices[process])
        return torch.device(self.kind)

    def __str__(self) -> str:
        if self.kind == "cuda":
            names = sorted({torch.cuda.get_device_name(i) for i in self.indices})
            return f"{len(self)} x {', '.join(names)}"
        if self.kind == "cpu":
            processes = f"{len(self)} processes x " if len(self) > 1 else ""
            return f"CPU ({processes}{counted(torch.get_num_threads(), 'thread')})"
        return self.kind.upper()


def use_threads(number: int | None, kind: str) -> None:
    """Let this process compute with so many threads, where it does so on a CPU."""
    if number is not None and kind == "cpu":
        torch.set_num_threads(number)


def parse_devices(text: str | None) -> Devices:
    """Parse ``-d``.

    ``8`` is a number of GPUs, ``0,2`` names GPUs, ``cpu:2`` is two processes; ``cpu`` and ``mps``
    are one. ``None`` takes one GPU where there is one, else Apple's, else the CPU.

    Raises:
        InputError: where the machine does not have what is asked for.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text is None:
        here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # more than one under torchrun
        if gpus:
            return parse_devices(str(here))
        if here > 1:
            return parse_devices(f"cpu:{here}")
        return Devices("mps" if torch.backends.mps.is_available() else "cpu", (0,))
    if match := re.fullmatch(r"cpu(?::(\d+))?", text):
        count = int(match[1] or 1)
        if count < 1:
            raise InputError(f"-d {text}: expected at least one process")
        return Devices("cpu", tuple(range(count)))
    if text == "mps":
        if not torch.backends.mps.is_available():
            raise InputError("-d mps: this machine has no Apple GPU; use -d cpu")
        return Devices("mps", (0,))
    if not re.fullmatch(r"\d+(,\d+)*,?", text):
        raise InputError(
            f"-d: expected a number of GPUs, a list as 0,2, or cpu; got {text!r}; {_have(gpus)}"
        )
    indices = (
        tuple(int(w) for w in text.rstrip(",").split(","))
        if "," in text
        else tuple(range(int(text)))
    )
    if not indices and gpus:
        raise InputError(
            f"-d {text}: is a number of GPUs, of which at least one is needed; -d 1 takes one, "
            f"-d 0, (with a comma) takes GPU 0; {_have(gpus)}"
        )
    if len(set(indices)) != len(indices):
        raise InputError(f"-d {text}: expected every GPU once")
    if not gpus or max(indices) >= gpus:
        raise InputError(f"-d {text}: {_have(gpus)}")
    return Devices("cuda", indices)


def _have(gpus: int) -> str:
    """What ``-d`` may name here."""
    if not gpus:
        return "this machine has no GPU that torch can use; use -d cpu"
    which = "one GPU, number 0" if gpus == 1 else f"{gpus} GPUs, numbers 0 to {gpus - 1}"
    return f"this machine has {which}; -d cpu takes none"


Layout = Literal["channels_last", "contiguous"]


def memory_layout(device: torch.device, cpu: Layout = "channels_last") -> torch.memory_format:
    """Choose the memory format of images and weights: channels last where it is faster.

    On CPUs the forward pass is faster, but the backward pass of wide 3x3 convolutions over small
    maps is not, so there ``cpu`` decides, measured per network.
    """
    if device.type == "mps" or (device.type == "cpu" and cpu == "contiguous"):
        return torch.contiguous_format
    return torch.channels_last


def loader_workers(wanted: int) -> int:
    """Return the loader workers of each training process, at most its share of the cores."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", dist.world_size()))
    return min(wanted, threads_per_process(local))


def threads_per_process(processes: int) -> int:
    """Return the threads of each of several processes that share the usable cores."""
    return max(1, usable_cores() // processes)


def make_deterministic() -> None:
    """Make torch use only deterministic operations and refuse others."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def peak_memory(device: torch.device) -> int:
    """Return this process's peak memory in bytes: of the GPU, or main memory without one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
