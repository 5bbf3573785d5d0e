"""Parameter groups, optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def param_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split the trainable parameters into a group with and a group without weight decay.

    Weights of convolutions and linear layers decay; biases, norms and scales do not.
    """
    norm = {
        id(p) for m in model.modules() if isinstance(m, _NORMS) for p in m.parameters(recurse=False)
    }
    decays: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (rest if parameter.ndim < 2 or id(parameter) in norm else decays).append(parameter)
    return [
        {"params": decays, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]


def build_optimizer(
    groups: Iterable[dict[str, Any]],
    name: Literal["sgd", "adamw"],
    lr: float,
    momentum: float,
    nesterov: bool = False,
) -> torch.optim.Optimizer:
    """Build torch's fused SGD or AdamW over the groups of :func:`param_groups`.

    A fused optimizer skips a step with a non-finite gradient on the device, without synchronising.
    """
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=True)
    sgd = torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)
    if momentum > 0:
        # torch allocates them uninitialised in the first step: a skipped first step, as is common
        # with fp16, would leave whatever was in the memory before.
        for parameter in (p for group in sgd.param_groups for p in group["params"]):
            sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return sgd


@dataclass(frozen=True)
class Schedule:
    """Learning-rate schedule: a warm-up, then steps or a cosine.

    Attributes:
        base_lr: after the warm-up.
        total: number of steps of the run.
        warmup: steps of the warm-up.
        warmup_factor: share of ``base_lr`` at step 0.
        warmup_power: 1 rises linearly, 2 (YOLOX) quadratically.
        kind: ``multistep`` divides by 10 at each milestone; ``cosine`` falls to ``final_factor``.
        milestones: steps, for ``multistep``.
        final_factor: share of ``base_lr`` at the end of a cosine.
        hold: number of last steps at the final rate, for ``cosine``.
        flat: step until which a cosine stays at ``base_lr``.
    """

    base_lr: float
    total: int
    warmup: int = 0
    warmup_factor: float = 0.001
    warmup_power: float = 1.0
    kind: Literal["multistep", "cosine"] = "multistep"
    milestones: Sequence[int] = ()
    final_factor: float = 0.0
    hold: int = 0
    flat: int = 0

    @property
    def falls(self) -> int:
        """Step from which the rate falls; ``total`` where it never does."""
        if self.kind == "cosine":
            return max(self.warmup, self.flat)
        return min(self.milestones, default=self.total)

    def __call__(self, step: int) -> float:
        """Return the learning rate of the (0-based) step."""
        if step < self.warmup:
            share = math.pow(step / self.warmup, self.warmup_power)
            return self.base_lr * (self.warmup_factor * (1 - share) + share)
        if self.kind == "multistep":
            return self.base_lr * 0.1 ** sum(step >= m for m in self.milestones)
        progress = (step - self.falls) / max(1, self.total - self.hold - self.falls)
        wave = 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress))))
        return self.base_lr * (self.final_factor + (1 - self.final_factor) * wave)
