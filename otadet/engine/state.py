"""What changes during a run, and how it goes into a checkpoint and comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from otadet.engine.checkpoint import Checkpoint
from otadet.engine.ema import Ema
from otadet.errors import InputError
from otadet.models import load_state


@dataclass
class TrainState:
    """Everything that a step changes.

    Attributes:
        model: the network that learns.
        optimizer: with its momenta.
        scaler: loss scaling of fp16.
        ema: averaged weights, or ``None``.
        step: steps taken.
        best: largest AP so far.
        metrics: of the last evaluation.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: Ema | None
    step: int = 0
    best: float = -1.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def eval_model(self) -> nn.Module:
        """The network that is evaluated and shipped: the averaged one where there is one."""
        return self.ema.module if self.ema is not None else self.model

    def training(self) -> dict[str, Any]:
        """What resuming needs besides the weights of :attr:`eval_model`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "best": self.best,
            "rng": torch.get_rng_state(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to where a checkpoint with training state was written.

        Raises:
            InputError: where the file holds weights only.
        """
        saved = checkpoint.training
        if not saved:
            raise InputError(f"--resume: {checkpoint.path} holds weights only, no training state")
        load_state(self.model, saved["model"], f"--resume: {checkpoint.path}")
        if self.ema is not None:
            self.ema.module.load_state_dict(checkpoint.weights)
        self.optimizer.load_state_dict(saved["optimizer"])
        if saved["scaler"]:  # empty when the run so far needed no loss scaling
            self.scaler.load_state_dict(saved["scaler"])
        self.best, self.step = saved["best"], checkpoint.step
        self.metrics = dict(checkpoint.metrics)
        torch.set_rng_state(saved["rng"])


MAY_CHANGE = ("data_dir", "workers")
"""Settings that another machine may need otherwise and that leave a run what it was."""


def check_same_run(checkpoint: Checkpoint, run: dict[str, Any]) -> None:
    """Compare what a checkpoint was trained with to the run that is to go on from it.

    Args:
        checkpoint: with training state.
        run: settings by name, and ``classes``, ``steps`` and ``batch_size``.

    Raises:
        InputError: names every difference.
    """
    then = {
        **checkpoint.settings,
        "classes": list(checkpoint.class_names),
        "steps": checkpoint.training.get("steps"),
        "batch_size": checkpoint.training.get("batch_size"),
    }
    changed = [
        f"{name} was {then[name]} and is {now}"
        for name, now in run.items()
        if name in then and then[name] != now and name not in MAY_CHANGE
    ]
    if checkpoint.training and changed:
        raise InputError(
            f"--resume: {checkpoint.path} is of another run: {'; '.join(changed)}; resuming goes "
            f"on with the same run"
        )
