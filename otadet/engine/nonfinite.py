"""Steps whose numbers are not finite: noticed without a wait, kept for replay, counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from loguru import logger
from torch import Tensor

from otadet.engine.precision import Precision
from otadet.engine.replay_bundle import NonFiniteStep, write_bundle
from otadet.engine.state import TrainState
from otadet.engine.step import StepResult
from otadet.exp import BaseExp
from otadet.types import Batch

ADVICE = "try a lower lr, clip_grad=10, or fp32"
"""What to do when a number is no longer finite."""

KEPT = 5
"""Bundles that a process writes in a run: each holds the weights and a batch."""


HALVINGS = 40
"""Gradients of fp16 that may overflow in a row: from 65536 the scale is then below 1e-7, and it is
not the scale that is at fault."""


class NonFiniteMonitor:
    """Learns of faults one step late on a GPU, at once elsewhere, and never waits for them."""

    def __init__(self, precision: Precision) -> None:
        # The loss scaler of fp16 finds its scale by gradients that are not finite now and then.
        self._overflows_allowed = HALVINGS if precision.name == "fp16" else 0
        self._overflows = 0
        self._pending: tuple[int, Batch, Tensor, torch.cuda.Event | None] | None = None

    @property
    def pending(self) -> bool:
        """Whether there is a step that :meth:`fault` was not asked about."""
        return self._pending is not None

    def put(self, step: int, batch: Batch, taken: StepResult) -> None:
        """Take what came of a step whose predictions were finite."""
        if taken.report is None:
            return
        flags = torch.stack([taken.report.total.isfinite(), taken.applied])
        event = None
        if flags.is_cuda:
            host = torch.empty(2, dtype=torch.bool, pin_memory=True)
            flags = host.copy_(flags, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        self._pending = (step, batch, flags, event)

    def fault(self) -> NonFiniteStep | None:
        """The fault of the last step, if it was one; the second call knows of none."""
        if self._pending is None:
            return None
        step, batch, flags, event = self._pending
        self._pending = None
        if event is not None:
            event.synchronize()
        loss, taken = flags.tolist()
        if not loss:
            return NonFiniteStep(step, batch, "loss")
        self._overflows = 0 if taken else self._overflows + 1
        fault = self._overflows > self._overflows_allowed
        return NonFiniteStep(step, batch, "gradient") if fault else None


@dataclass
class NonFiniteHandler:
    """Decides what a fault does to a run.

    Attributes:
        folder: where bundles go.
        allowed: faults in a row that do not end the run.
        precision: of the run.
        total: steps of the run.
        written: bundles so far; the first :data:`KEPT` are kept.
    """

    folder: Path
    allowed: int
    precision: Precision
    total: int
    written: int = 0

    def met(
        self, fault: NonFiniteStep, exp: BaseExp, names: tuple[str, ...], state: TrainState
    ) -> None:
        """Keep what a replay needs, and stop or go on.

        Raises:
            FloatingPointError: at the first fault too many; names the step and the bundle.
        """
        state.faults_in_a_row += 1
        count = state.faults_in_a_row
        kept, where = self._keep(fault, exp, names, state)
        what = f"step {fault.step}: the {fault.what} is not finite"
        what = what.replace("predictions is", "predictions are")
        if count > self.allowed:
            raise FloatingPointError(
                f"{what}; the weights were not changed and the last checkpoint is whole; "
                f"{ADVICE}; {where}"
            )
        logger.warning(
            "{}; left out ({} of {} in a row allowed), {}", what, count, self.allowed, kept
        )

    def _keep(
        self, fault: NonFiniteStep, exp: BaseExp, names: tuple[str, ...], state: TrainState
    ) -> tuple[str, str]:
        """What to say of the bundle when going on, and when stopping."""
        if not fault.mine:
            other = "met by another process, which says more"
            return other, other
        if self.written >= KEPT:
            full = f"{self.folder / 'faults'} holds the first {KEPT} such steps, no more are kept"
            return full, full
        progress = (fault.step - 1) / self.total
        path = write_bundle(self.folder, fault, exp, names, state, self.precision, progress)
        self.written += 1
        file = f" -f {exp.file}" if exp.file else ""
        return f"kept as {path}", f"python tools/replay.py {path}{file} says where it began"
