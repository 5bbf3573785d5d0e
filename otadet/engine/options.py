"""Options of a training run besides its experiment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from otadet.choices import HANG_TIMEOUT
from otadet.engine.precision import Precision


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run besides its experiment.

    Attributes:
        output: run directory.
        batch_size: images per step over all devices.
        precision: of the forward pass.
        resume: continue from ``output/last.pth``.
        weights: initial weights, in place of the experiment's own.
        compile: let torch compile the network.
        deterministic: use only deterministic operations.
        log: names of the metric loggers, see :mod:`otadet.engine.loggers`.
        profile: record some steps with torch's profiler.
        keep_checkpoints: epochs whose weights are kept in ``output/epochs``, the last ones.
        began: when the command was started, ``time.time()``'s seconds; for ``minutes``.
        hang_timeout: seconds without progress that end the run; 0 waits forever.
    """

    output: Path
    batch_size: int
    precision: Precision
    resume: bool = False
    weights: Path | None = None
    compile: bool = False
    deterministic: bool = False
    log: tuple[str, ...] = ("jsonl", "csv", "tensorboard")
    profile: bool = False
    keep_checkpoints: int = 0
    hang_timeout: float = HANG_TIMEOUT
    began: float = field(default_factory=time.time)
