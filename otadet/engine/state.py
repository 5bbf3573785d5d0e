"""Training state: saving to and restoring from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import Tensor, nn

from otadet import dist
from otadet.engine.checkpoint import Checkpoint, load_checkpoint
from otadet.engine.ema import Ema
from otadet.engine.resume_checks import HOW, check_optimizer, check_parts, check_random_state
from otadet.errors import InputError
from otadet.evaluation import OperatingPoint
from otadet.models import Detector, load_state


@dataclass
class TrainState:
    """State that a step changes.

    Attributes:
        model: the trained network.
        optimizer: its momenta are saved with it.
        scaler: loss scaling of fp16.
        ema: averaged weights, or ``None``.
        step: steps taken.
        best: best value of the experiment's best metric so far; -1 before there is one.
        best_step: step of that value.
        stale: number of evaluations since then.
        metrics: metrics of the last evaluation.
        operating_point: score threshold of the largest F1 in the last evaluation.
        evaluation_due: whether the evaluation that belongs after :attr:`step` is still to come.
        faults_in_a_row: steps since the last one whose numbers were finite.
        base_lr: learning rate of a parameter group that follows the schedule as it is: the setting
            ``lr``. By default that of the optimizer where a group states none.
    """

    model: Detector
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: Ema | None
    step: int = 0
    best: float = -1.0
    best_step: int = 0
    stale: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    evaluation_due: bool = False
    faults_in_a_row: int = 0
    base_lr: float | None = None

    @property
    def eval_model(self) -> nn.Module:
        """The network that is evaluated and saved for use: EMA weights where there are any."""
        return self.ema.module if self.ema is not None else self.model

    def __post_init__(self) -> None:
        self._buffers: list[Tensor] = []
        base = self.optimizer.defaults["lr"] if self.base_lr is None else self.base_lr
        # Of the optimizer as it was built, so that a checkpoint need not hold them. Exactly 1
        # where nothing else is asked for.
        self.lr_shares = tuple(
            group["lr"] / base if base and group["lr"] != base else 1.0
            for group in self.optimizer.param_groups
        )

    def set_lr(self, lr: float) -> None:
        """Set the learning rates of a step.

        Each group's is in proportion to the rate that it was built with.
        """
        for group, share in zip(self.optimizer.param_groups, self.lr_shares, strict=True):
            group["lr"] = lr * share

    @property
    def lr(self) -> dict[str, float]:
        """Learning rates of the last step to log: the largest, and all where groups differ."""
        rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        each = {f"lr_group_{i}": rate for i, rate in enumerate(rates)}
        return {"lr": max(rates), **(each if len(set(rates)) > 1 else {})}

    def remember_buffers(self) -> None:
        """Copy BatchNorm's statistics for :meth:`restore_buffers`."""
        buffers = list(self.model.buffers())
        if not self._buffers:
            self._buffers = [b.clone() for b in buffers]
        else:
            torch._foreach_copy_(self._buffers, buffers)

    def restore_buffers(self) -> None:
        """Restore the statistics that were copied last."""
        if self._buffers:
            torch._foreach_copy_(list(self.model.buffers()), self._buffers)

    def training(self) -> dict[str, Any]:
        """Return what resuming needs besides the weights of :attr:`eval_model`.

        Every process calls it at the same step.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "best": self.best,
            "best_step": self.best_step,
            "stale": self.stale,
            "evaluation_due": self.evaluation_due,
            "faults_in_a_row": self.faults_in_a_row,
            "rng": dist.gather_objects(torch.get_rng_state()),
            "gpu_rng": dist.gather_objects(self._gpu_draws()),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore the state of a checkpoint with training state.

        Raises:
            InputError: where a part is missing or of another run.
        """
        check_parts(checkpoint)
        saved, where = checkpoint.training, f"--resume: {checkpoint.path}"
        check_optimizer(saved["optimizer"], self.optimizer, f"{where}, optimizer")
        for state in saved["rng"]:
            check_random_state(state, f"{where}, rng")
        load_state(self.model, saved["model"], where)
        if self.ema is not None:
            load_state(self.ema.module, checkpoint.weights, where)
        self._restore_optimizer(saved["optimizer"])
        if saved["scaler"]:  # empty when the run so far needed no loss scaling
            # Another version of torch may have saved fewer numbers.
            self.scaler.load_state_dict({**self.scaler.state_dict(), **saved["scaler"]})
        self.best, self.stale = saved["best"], saved["stale"]
        self.best_step = saved.get("best_step", 0)
        # Older checkpoints have neither.
        self.evaluation_due = saved.get("evaluation_due", False)
        self.faults_in_a_row = saved.get("faults_in_a_row", 0)
        self.step = checkpoint.step
        self.metrics = dict(checkpoint.metrics)
        self.operating_point = checkpoint.operating_point
        if len(saved["rng"]) == dist.world_size():
            torch.set_rng_state(saved["rng"][dist.rank()])
        draws = saved.get("gpu_rng", [])  # older checkpoints have none
        if (
            len(draws) == dist.world_size()
            and len(draws[dist.rank()])
            and self._device.type == "cuda"
        ):
            try:
                torch.cuda.set_rng_state(draws[dist.rank()], self._device)
            except RuntimeError as error:
                raise InputError(f"{where}, gpu_rng: {str(error).splitlines()[0]}") from None

    def _restore_optimizer(self, saved: dict[str, Any]) -> None:
        """Load its state; an option that another version of torch did not save stays as it is."""
        own = self.optimizer.state_dict()["param_groups"]
        groups = [
            {**mine, **theirs, **{name: mine[name] for name in HOW if name in mine}}
            for mine, theirs in zip(own, saved["param_groups"])
        ]
        self.optimizer.load_state_dict({**saved, "param_groups": groups})

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _gpu_draws(self) -> Tensor:
        """Return the GPU's random state, which criteria use; empty elsewhere."""
        if self._device.type == "cuda":
            return torch.cuda.get_rng_state(self._device)
        return torch.zeros(0, dtype=torch.uint8)


BEFORE_LAST = "before_last.pth"
"""The checkpoint before ``last.pth``, used where that is damaged."""


def has_last(folder: Path) -> bool:
    """Whether there is a checkpoint to resume from."""
    return (folder / "last.pth").exists() or (folder / BEFORE_LAST).exists()


def load_last(folder: Path) -> Checkpoint:
    """Load the checkpoint to resume from: ``last.pth``, or the one before if that is damaged.

    Raises:
        InputError: where there is none that can be read; of the last one.
    """
    last, before = folder / "last.pth", folder / BEFORE_LAST
    if not has_last(folder):
        raise InputError(f"--resume: {last} does not exist; nothing to resume")
    try:
        return _resumable(last)
    except InputError as error:
        if not before.exists():
            raise
        logger.warning("{}; resuming from {} instead", error, before)
        return _resumable(before)


def _resumable(path: Path) -> Checkpoint:
    checkpoint = load_checkpoint(path)
    check_parts(checkpoint)
    return checkpoint


MAY_CHANGE = (
    "cache", "cache_dir", "check_data", "data_dir", "eval_interval", "patience", "save_interval",
    "skip_nonfinite", "val_loss", "workers",
)  # fmt: skip
"""Settings that a resumed run may change, without effect on its steps."""


def check_same_run(checkpoint: Checkpoint, run: dict[str, Any]) -> None:
    """Check that a run resumes with the settings of its checkpoint.

    Args:
        checkpoint: with training state.
        run: settings by name, ``batch_size`` and ``precision``, and under names that no setting
            has, ``class names`` and ``number of steps``.

    Raises:
        InputError: names every difference.
    """
    then = {
        **checkpoint.settings,
        "class names": list(checkpoint.class_names),
        "number of steps": checkpoint.training.get("steps"),
        "batch_size": checkpoint.training.get("batch_size"),
    }
    if "precision" in checkpoint.training:  # older checkpoints do not say it
        then["precision"] = checkpoint.training["precision"]
    changed = [
        f"{name} was {then[name]} and is {now}"
        for name, now in run.items()
        if name in then and then[name] != now and name not in MAY_CHANGE
    ]
    if checkpoint.training and changed:
        raise InputError(
            f"--resume: {checkpoint.path} is of another run: {'; '.join(changed)}; a resumed run "
            f"keeps its settings"
        )
