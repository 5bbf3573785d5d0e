"""What changes during a run, and how it goes into a checkpoint and comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from otadet.engine.checkpoint import Checkpoint
from otadet.engine.ema import Ema
from otadet.errors import InputError


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
        self.model.load_state_dict(saved["model"])
        if self.ema is not None:
            self.ema.module.load_state_dict(checkpoint.weights)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])
        self.best, self.step = saved["best"], checkpoint.step
        self.metrics = dict(checkpoint.metrics)
        torch.set_rng_state(saved["rng"])
