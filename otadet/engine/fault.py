"""Steps whose numbers are not finite: noticed without a wait, kept for replay, counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from loguru import logger
from torch import Tensor

from otadet import dist
from otadet.engine.checkpoint import save_file
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.engine.step import Taken
from otadet.exp import Exp
from otadet.types import Batch

ADVICE = "try a lower lr, clip_grad=10, or fp32"
"""What to do when a number is no longer finite."""


@dataclass(frozen=True, eq=False)
class Fault:
    """A step that was not taken.

    Attributes:
        step: its number, 1 for the first.
        batch: what it was to learn from.
        what: ``predictions``, ``loss`` or ``gradient``: the first that was not finite.
    """

    step: int
    batch: Batch
    what: str


class Watch:
    """Learns of faults one step late on a GPU, at once elsewhere, and never waits for them."""

    def __init__(self, precision: Precision) -> None:
        # The loss scaler of fp16 finds its scale by gradients that are not finite now and then.
        self._gradients = precision.name != "fp16"
        self._pending: tuple[int, Batch, Tensor, torch.cuda.Event | None] | None = None

    def put(self, step: int, batch: Batch, taken: Taken) -> None:
        """Take what came of a step whose predictions were finite."""
        if taken.report is None:
            return
        flags = torch.stack([taken.report.total.isfinite(), taken.ok])
        event = None
        if flags.is_cuda:
            host = torch.empty(2, dtype=torch.bool, pin_memory=True)
            flags = host.copy_(flags, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        self._pending = (step, batch, flags, event)

    def fault(self) -> Fault | None:
        """The fault of the last step, if it was one; the second call knows of none."""
        if self._pending is None:
            return None
        step, batch, flags, event = self._pending
        self._pending = None
        if event is not None:
            event.synchronize()
        loss, taken = flags.tolist()
        if not loss:
            return Fault(step, batch, "loss")
        return Fault(step, batch, "gradient") if self._gradients and not taken else None


@dataclass
class Faults:
    """Decides what a fault does to a run.

    Attributes:
        folder: where bundles go.
        allowed: faults in a row that do not end the run.
        count: faults since the last step that was taken.
    """

    folder: Path
    allowed: int
    count: int = 0

    def met(self, fault: Fault, exp: Exp, names: tuple[str, ...], state: TrainState) -> None:
        """Keep what a replay needs, and stop or go on.

        Raises:
            FloatingPointError: at the first fault too many; names the step and the bundle.
        """
        self.count += 1
        path = write_bundle(self.folder, fault, exp, names, state)
        what = f"step {fault.step}: the {fault.what} is not finite"
        what = what.replace("predictions is", "predictions are")
        if self.count > self.allowed:
            raise FloatingPointError(
                f"{what}; the weights were not changed and the last checkpoint is whole; "
                f"{ADVICE}; python tools/replay.py {path} says where it began"
            )
        logger.warning(
            "{}; left out ({} of {} in a row allowed), kept as {}",
            what, self.count, self.allowed, path,
        )  # fmt: skip


def write_bundle(
    folder: Path, fault: Fault, exp: Exp, names: tuple[str, ...], state: TrainState
) -> Path:
    """All that ``tools/replay.py`` needs to take the step again; returns the file."""
    path = folder / "faults" / f"step_{fault.step:07d}_rank_{dist.rank()}.pth"
    batch = fault.batch
    content = {
        "experiment": exp.name,
        "settings": exp.as_dict(),
        "class_names": list(names),
        "step": fault.step,
        "what": fault.what,
        "image_ids": list(batch.image_ids),
        "images": batch.images.cpu(),
        "targets": [
            {"boxes": t.boxes.cpu(), "labels": t.labels.cpu(), "ignore_boxes": t.ignore_boxes.cpu()}
            for t in batch.targets
        ],
        "weights": state.model.state_dict(),
        "rng": torch.get_rng_state(),
    }
    save_file(path, content)
    return path
