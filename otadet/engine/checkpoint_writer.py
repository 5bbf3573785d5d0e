"""What a run keeps of itself on the disk, and when it goes on from there unasked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from otadet import dist
from otadet.engine.checkpoint import save_checkpoint
from otadet.engine.precision import PrecisionName
from otadet.engine.state import BEFORE_LAST, TrainState, load_last
from otadet.errors import InputError
from otadet.exp import BaseExp

RUN_ID = "OTADET_RUN_ID"
"""Environment variable by which processes that were started anew know their run."""


@dataclass(frozen=True, eq=False)
class CheckpointWriter:
    """Writes ``last.pth`` and ``best.pth``.

    Attributes:
        folder: of the run.
        exp: its settings go into each file.
        class_names: likewise.
        total: steps of the run.
        batch_size: pictures a step.
        precision: name of the forward pass's arithmetic.
    """

    folder: Path
    exp: BaseExp
    class_names: tuple[str, ...]
    total: int
    batch_size: int
    precision: PrecisionName

    def last(self, state: TrainState, again: bool = False) -> None:
        """Write all that resuming needs; every process has to call it.

        ``again`` replaces a ``last.pth`` of the same step; ``before_last.pth`` stays as it is.
        """
        run = {
            "steps": self.total, "batch_size": self.batch_size, "precision": self.precision,
            "run_id": run_id(),
        }  # fmt: skip
        training = {**state.training(), **run}
        if dist.is_main():
            previous = None if again else self.folder / BEFORE_LAST
            self._save("last.pth", state, training, previous)

    def best(self, state: TrainState) -> None:
        """The weights for use; the main process alone."""
        self._save("best.pth", state, None)

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
            weights=state.eval_model.state_dict(),
            step=state.step,
            metrics=state.metrics,
            operating_point=state.operating_point,
            training=training,
            previous=previous,
        )


def run_id() -> str:
    """Name of this start of the command: the same in all its processes and after a restart."""
    if RUN_ID in os.environ:
        return os.environ[RUN_ID]
    # torchrun's own name for the run is "none" unless one was given; its process is the parent.
    return f"{os.environ.get('TORCHELASTIC_RUN_ID', '')}-{os.getppid()}"


def should_auto_resume(folder: Path) -> bool:
    """Whether a launcher has started this process anew and its run has left a checkpoint.

    An older run's checkpoint in the same folder is not taken for one of this run.
    """
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) == 0:
        return False
    try:
        return bool(load_last(folder).training.get("run_id") == run_id())
    except InputError:
        return False
