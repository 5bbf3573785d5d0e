"""Exponential moving average of the weights, which is evaluated and saved for use."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn


def ema_decay(step: int, decay: float, ramp: float = 2000.0) -> float:
    """Return the decay after ``step`` updates, ``decay * (1 - exp(-step / ramp))``.

    The first, nearly random weights are soon forgotten.
    """
    return decay * (1 - math.exp(-step / ramp))


def cap_decay(decay: float, total: int) -> float:
    """Lower ``decay`` so that the average spans at most a twentieth of the run.

    In a short run the weights of the first half are worth forgetting.
    """
    return min(decay, max(0.0, 1 - 20 / total))


def ema_ramp(total: int) -> float:
    """Return the steps of the ramp in a run of ``total`` steps: a tenth, at most 2000."""
    return min(2000.0, total / 10)


class Ema:
    """Exponential moving average of parameters and buffers, in one fused update.

    Args:
        model: copied; the average is :attr:`module`.
        decay: final decay.
        ramp: steps of the ramp, see :func:`ema_decay`.
    """

    def __init__(self, model: nn.Module, decay: float, ramp: float) -> None:
        self.module = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.ramp = ramp
        self._mine, self._mine_exact = _split(self.module)
        self._theirs, self._theirs_exact = _split(model)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Update the average with the model's weights after ``step`` steps (1 for the first)."""
        keep = ema_decay(step, self.decay, self.ramp)
        torch._foreach_lerp_(self._mine, self._theirs, 1 - keep)
        if self._mine_exact:
            torch._foreach_copy_(self._mine_exact, self._theirs_exact)


def _split(module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Split into floating-point tensors, which are averaged, and counters, which are copied."""
    tensors = list(module.state_dict(keep_vars=True).values())
    data = [t.detach() for t in tensors]
    return (
        [t for t in data if t.is_floating_point()],
        [t for t in data if not t.is_floating_point()],
    )
