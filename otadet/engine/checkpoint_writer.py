"""Checkpoint writing, and automatic resume after a restart."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from otadet import dist
from otadet.data import Fingerprint
from otadet.engine.checkpoint import save_checkpoint
from otadet.engine.precision import PrecisionName
from otadet.engine.run_directory import EPOCHS, is_still_locked, lock_run_directory
from otadet.engine.state import BEFORE_LAST, TrainState, load_last
from otadet.errors import InputError, RunError
from otadet.exp import BaseExp

RUN_ID = "OTADET_RUN_ID"
"""Environment variable that identifies the run to restarted processes."""


@dataclass(eq=False)
class CheckpointWriter:
    """Writer of ``last.pth``, ``best.pth`` and the checkpoints of single epochs.

    Attributes:
        folder: run directory.
        exp: its settings go into each file.
        class_names: likewise.
        category_ids: likewise; the training set's.
        total: steps of the run.
        batch_size: images per step.
        precision: of the forward pass.
        data: by which a resumed run knows the data, see :mod:`otadet.data.fingerprint`.
        plan: returns what is saved of a run by time, see :mod:`otadet.engine.plan`.
        lock: of the run directory, in the main process.
    """

    folder: Path
    exp: BaseExp
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...] | None
    total: int
    batch_size: int
    precision: PrecisionName
    data: dict[str, Fingerprint]
    plan: Callable[[], dict[str, Any]] | None = None
    lock: TextIO | None = None

    def last(self, state: TrainState, again: bool = False) -> None:
        """Write ``last.pth``, with all that resuming needs; called by every process.

        ``again`` replaces a ``last.pth`` of the same step; ``before_last.pth`` stays as it is.
        """
        run = {
            "steps": self.total, "batch_size": self.batch_size, "precision": self.precision,
            "run_id": run_id(), "data": self.data,
        }  # fmt: skip
        planned = {} if self.plan is None else {"plan": self.plan()}
        training = {**state.training(), **run, **planned}
        if dist.is_main():
            previous = None if again else self.folder / BEFORE_LAST
            there = self.lock is None or is_still_locked(self.folder, self.lock)
            if not there:
                self.lock = lock_run_directory(self.folder)
            self._save("last.pth", state, training, previous)
            if not there:
                raise RunError(f"{_gone(self.folder)}; step {state.step} is saved there again")
        dist.barrier()  # a process that fails in what comes next ends the others

    def check_folder(self) -> None:
        """Check that the run directory is still the one of this run.

        Raises:
            RunError: it was removed, or is another run's.
        """
        if self.lock is not None and not is_still_locked(self.folder, self.lock):
            raise RunError(_gone(self.folder))

    def best(self, state: TrainState) -> None:
        """Write ``best.pth``, the weights for use; called by the main process only."""
        self._save("best.pth", state, None)

    def epoch(self, state: TrainState, number: int, keep: int) -> None:
        """Write the weights of an epoch to ``epochs/`` and remove all but the last ``keep`` there.

        Called by the main process only.
        """
        folder = self.folder / EPOCHS
        folder.mkdir(exist_ok=True)
        self._save(f"{EPOCHS}/epoch_{number:04d}.pth", state, None)
        for old in sorted(folder.glob("epoch_*.pth"))[:-keep]:
            old.unlink()

    def _save(
        self,
        name: str,
        state: TrainState,
        training: dict[str, object] | None,
        previous: Path | None = None,
    ) -> None:
        save_checkpoint(
            self.folder / name,
            experiment=self.exp.name,
            settings=self.exp.as_dict(),
            class_names=self.class_names,
            category_ids=self.category_ids,
            weights=state.eval_model.state_dict(),
            step=state.step,
            metrics=state.metrics,
            operating_point=state.operating_point,
            training=training,
            previous=previous,
        )


def _gone(folder: Path) -> str:
    return f"output folder {folder}: was removed while the run was writing to it"


def run_id() -> str:
    """Return the id of this start of the command, equal in all processes and after a restart."""
    if RUN_ID in os.environ:
        return os.environ[RUN_ID]
    # torchrun's own name for the run is "none" unless one was given; its process is the parent.
    return f"{os.environ.get('TORCHELASTIC_RUN_ID', '')}-{os.getppid()}"


def should_auto_resume(folder: Path) -> bool:
    """Whether a launcher has restarted this process and its run has a checkpoint.

    A checkpoint of an older run in the same folder does not count.
    """
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) == 0:
        return False
    try:
        return bool(load_last(folder).training.get("run_id") == run_id())
    except InputError:
        return False
