"""Detection and handling of steps with NaN or infinite numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from loguru import logger
from torch import Tensor

from otadet import dist
from otadet.engine.precision import Precision
from otadet.engine.replay_bundle import NonFiniteStep, write_bundle
from otadet.engine.state import TrainState
from otadet.engine.step import StepResult
from otadet.exp import BaseExp
from otadet.types import Batch

ADVICE = "try a lower lr, clip_grad=10, or fp32"

MAX_BUNDLES = 5
"""Replay bundles that a process writes in a run: each holds the weights and a batch."""

MAX_OVERFLOWS = 40
"""fp16 overflows in a row that the loss scaler may need: starting at 65536, its scale is then below
1e-7, too small to be the cause."""


class NonFiniteGuard:
    """Checks every step, writes replay bundles, and ends the run after too many faults in a row.

    On a GPU the check of a step is read one step late, so that it never synchronises.

    Args:
        folder: run directory, for the bundles.
        state: of the run; counts the faults in a row.
        class_names: in the order of the network's outputs.
        precision: of the run.
        allowed: faults in a row that do not end the run.
        total: steps of the run.
    """

    def __init__(
        self,
        folder: Path,
        state: TrainState,
        class_names: tuple[str, ...],
        precision: Precision,
        allowed: int,
        total: int,
    ) -> None:
        self.folder, self.state, self.class_names = folder, state, class_names
        self.precision, self.allowed, self.total = precision, allowed, total
        self._bundles = self._overflows = 0
        self._pending: tuple[NonFiniteStep, BaseExp, Tensor, torch.cuda.Event | None] | None = None

    def check(self, batch: Batch, result: StepResult, exp: BaseExp) -> None:
        """Check the step that was just taken with ``exp``.

        Raises:
            FloatingPointError: see :meth:`settle`.
        """
        step = self.state.step
        if result.report is None:
            self.settle()
            self._handle(NonFiniteStep(step, batch, "predictions", not result.local_finite), exp)
            return
        flags = torch.stack([result.report.total.isfinite(), result.applied])
        event = None
        if flags.is_cuda:
            host = torch.empty(2, dtype=torch.bool, pin_memory=True)
            flags = host.copy_(flags, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        self._pending = NonFiniteStep(step, batch, "gradient"), exp, flags, event
        if event is None:
            self.settle()

    def settle(self) -> None:
        """Read the outcome of the last check; without one pending, do nothing.

        Raises:
            FloatingPointError: too many faults in a row; names the step and the bundle.
        """
        if self._pending is None:
            return
        step, exp, flags, event = self._pending
        self._pending = None
        if event is not None:
            event.synchronize()
        loss_finite, applied = flags.tolist()
        if not loss_finite:
            self._handle(NonFiniteStep(step.step, step.batch, "loss"), exp)
            return
        # fp16's loss scaler finds its scale by overflows.
        self._overflows = 0 if applied else self._overflows + 1
        if self._overflows > (MAX_OVERFLOWS if self.precision.name == "fp16" else 0):
            self._handle(step, exp)
        else:
            self.state.faults_in_a_row = 0

    def any_finite(self, last: bool) -> bool:
        """Whether some step was finite in all processes: else there is nothing to evaluate.

        Raises:
            FloatingPointError: none was, and the run is at its ``last`` step.
        """
        steps = self.state.step
        found = all(dist.gather_objects(self.state.faults_in_a_row < steps))
        if last and not found:
            raise FloatingPointError(
                f"not one of {steps} steps was finite, the weights are the initial ones; {ADVICE}"
            )
        return found

    def _handle(self, step: NonFiniteStep, exp: BaseExp) -> None:
        self.state.faults_in_a_row += 1
        count = self.state.faults_in_a_row
        kept, hint = self._write_bundle(step, exp)
        verb = "are" if step.what == "predictions" else "is"
        fault = f"step {step.step}: the {step.what} {verb} not finite"
        if count > self.allowed:
            raise FloatingPointError(
                f"{fault}; the weights were not changed and the last checkpoint is intact; "
                f"{ADVICE}; {hint}"
            )
        logger.warning("{}; skipped ({} of {} in a row allowed), {}",
                       fault, count, self.allowed, kept)  # fmt: skip

    def _write_bundle(self, step: NonFiniteStep, exp: BaseExp) -> tuple[str, str]:
        """Write the bundle if it is this process's to write; returns notes for log and error."""
        if not step.local:
            return ("the bundle is another process's",) * 2
        if self._bundles >= MAX_BUNDLES:
            return (f"{self.folder / 'faults'} holds the first {MAX_BUNDLES} bundles",) * 2
        progress = (step.step - 1) / self.total
        path = write_bundle(
            self.folder, step, exp, self.class_names, self.state, self.precision, progress
        )
        self._bundles += 1
        file = f" -f {exp.file}" if exp.file else ""
        return f"kept as {path}", f"python tools/replay.py {path}{file} names the first tensor"
