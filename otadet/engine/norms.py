"""Check of norms that would train on one value per channel, which has no variance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from otadet import dist
from otadet.engine.stages import Stage
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.geometry import Size, padded
from otadet.models import Detector, ResNetBackbone


class _OneValue(Exception):
    """A norm in training mode got one value per channel."""

    def __init__(self, name: str, norm: nn.Module, shape: torch.Size) -> None:
        self.name, self.kind, self.map = name, type(norm).__name__, tuple(shape[2:])


def check_norms(model: Detector, run: Sequence[Stage], batch_size: int) -> None:
    """Refuse a batch and input size that leave a norm one value per channel.

    Two images always give a norm two values, so a network is looked at only where a process, or a
    part of its batch, has one: one image of the run's smallest size goes through it. Weights,
    statistics and random numbers stay as they were.

    Args:
        model: on its device.
        run: the stages of the run, each with its sizes.
        batch_size: images a step, of all processes.

    Raises:
        InputError: says which norm it is and what to change.
    """
    exp = run[0].exp
    if batch_size // dist.world_size() // exp.accumulate >= 2:
        return
    size = min((s for stage in run for s in stage.exp.build_size_rule().sizes), key=math.prod)
    device = next(model.parameters()).device
    image = torch.zeros((1, 3, *padded(size, 32)), dtype=torch.uint8, device=device)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    devices = [device] if device.type == "cuda" else []
    model.train()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices), _watched(model):
            functional_call(model, buffers, (image,))
    except _OneValue as found:
        raise InputError(_advice(found, model, exp, batch_size, size)) from None


@contextmanager
def _watched(model: nn.Module) -> Iterator[None]:
    """Make norms in training mode raise :class:`_OneValue` where torch raises a ValueError."""
    alone = dist.world_size() == 1
    handles = [
        norm.register_forward_pre_hook(_Look(name))
        for name, norm in model.named_modules()
        if isinstance(norm, _BatchNorm) and (alone or not isinstance(norm, nn.SyncBatchNorm))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Look:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        if norm.training and x.numel() == x.shape[1]:
            raise _OneValue(self.name, norm, x.shape)


def _advice(found: _OneValue, model: Detector, exp: BaseExp, batch_size: int, size: Size) -> str:
    world = dist.world_size()
    parts = [f"{world} processes"] if world > 1 else []
    parts += [f"accumulate={exp.accumulate} parts"] if exp.accumulate > 1 else []
    split = f" over {' and '.join(parts)}" if parts else ""
    shape = " x ".join(map(str, found.map))
    remedies = [f"-b {2 * world * exp.accumulate} or more", "a larger input_size"]
    if exp.multiscale:
        remedies.append("a larger multiscale")
    reads = isinstance(model.backbone, ResNetBackbone) and "frozen_norm" in exp.hints()
    if reads and found.name.startswith("backbone."):
        remedies.append("frozen_norm=true")
    return (
        f"-b {batch_size}{split} with images of {size[0]} x {size[1]} px: {found.kind} "
        f"{found.name} would train on one value a channel (a map of {shape} of one image), which "
        f"has no variance; take {', '.join(remedies[:-1])}, or {remedies[-1]}"
    )
