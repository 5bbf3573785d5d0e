"""Record of a run: what ran, on what, and with which settings (``run.json``)."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import otadet
from otadet.atomic import atomic_write
from otadet.data.findings import counted
from otadet.errors import InputError
from otadet.regular_file import read_regular

FILE = "run.json"
"""In the run directory."""


@dataclass(frozen=True)
class Start:
    """One start of a run's command.

    Attributes:
        step: steps done before.
        time: date and time, local.
        device: name of the device and number of processes.
        command: as it was typed.
    """

    step: int
    time: str
    device: str
    command: str

    @staticmethod
    def now(step: int, device: torch.device, processes: int) -> Start:
        """Describe the start of this process's run."""
        time = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        several = f"{processes} x " if processes > 1 else ""
        return Start(step, time, several + device_name(device), shlex.join(sys.argv))


@dataclass(frozen=True)
class RunRecord:
    """What a run is made of, known at its start.

    Attributes:
        experiment: name.
        file: the experiment's.
        settings: all, plain values.
        defaults: of those settings that differ from the experiment's own value, that value.
        class_names: in the order of the network's outputs.
        steps: of the whole run.
        epoch_steps: of an epoch.
        batch_size: images a step, over all processes.
        precision: of the forward pass.
        network: size of the network, as text.
        data: lines on what was read, by split.
        versions: of otadet and what it runs on, by name.
        starts: the first one, and those with ``--resume``.
    """

    experiment: str
    file: str
    settings: dict[str, Any]
    defaults: dict[str, Any]
    class_names: tuple[str, ...]
    steps: int
    epoch_steps: int
    batch_size: int
    precision: str
    network: str
    data: dict[str, list[str]]
    versions: dict[str, str]
    starts: tuple[Start, ...]

    def save(self, folder: Path) -> None:
        """Write ``run.json``."""
        atomic_write(folder / FILE, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """Read ``run.json`` of a run directory; ``None`` where there is none (older runs).

    Raises:
        InputError: it is not such a file.
    """
    path = folder / FILE
    if not path.exists():
        return None
    content = read_regular(path, "record of a run")
    try:
        found = json.loads(content)
        starts = tuple(Start(**each) for each in found.pop("starts"))
        names = tuple(found.pop("class_names"))
        return RunRecord(**found, class_names=names, starts=starts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: expected the record of a run, got {error}") from error


def update_steps(folder: Path, steps: int) -> None:
    """Write the length of a run by time, which is known later than the rest."""
    record = read_record(folder)
    if record is not None:
        replace(record, steps=steps).save(folder)


def device_name(device: torch.device) -> str:
    """Name of a GPU, or of the CPU with its number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type.upper()
    return f"{_cpu() or 'CPU'}, {counted(torch.get_num_threads(), 'thread')}"


def _cpu() -> str:
    """Name of the CPU as Linux has it; elsewhere what Python says, which may be nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "")


def versions() -> dict[str, str]:
    """Versions of otadet, Python and the libraries that a result may depend on."""
    cuda = {"CUDA": torch.version.cuda} if torch.version.cuda else {}
    return {
        "otadet": otadet.__version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        **cuda,
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        "system": platform.platform(terse=True),
    }
