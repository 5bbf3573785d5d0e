"""What a process needs to know of the others; every function also works alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch.distributed as td
from torch import Tensor, nn

T = TypeVar("T")

_APART: ContextVar[bool] = ContextVar("apart", default=False)


def active() -> bool:
    """Whether this process belongs to a group, and is not :func:`apart` from it."""
    return td.is_available() and td.is_initialized() and not _APART.get()


@contextmanager
def apart() -> Iterator[None]:
    """Be alone in the block: nothing is exchanged, for work that the others have not as often."""
    token = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(token)


def rank() -> int:
    """Index of this process, 0 when alone."""
    return td.get_rank() if active() else 0


def world_size() -> int:
    """Number of processes, 1 when alone."""
    return td.get_world_size() if active() else 1


def is_main() -> bool:
    """Whether this process is the one that writes and decides."""
    return rank() == 0


def mean(value: Tensor) -> Tensor:
    """``value`` averaged over all processes; the tensor itself when alone. Not differentiable."""
    if not active():
        return value
    total = value.detach().clone()
    td.all_reduce(total)
    return total / world_size()


def minimum(value: Tensor) -> Tensor:
    """The smallest ``value`` of all processes; the tensor itself when alone."""
    if not active():
        return value
    smallest = value.detach().clone()
    td.all_reduce(smallest, op=td.ReduceOp.MIN)
    return smallest


def barrier() -> None:
    """Wait for the other processes."""
    if active():
        td.barrier()


def gather_objects(value: T) -> list[T]:
    """Every process's picklable ``value`` in the order of ranks, on every process."""
    if not active():
        return [value]
    values: list[Any] = [None] * world_size()
    td.all_gather_object(values, value)
    return values


def broadcast_buffers(module: nn.Module) -> None:
    """Give every process the main one's buffers, such as BatchNorm's statistics."""
    if active():
        for buffer in module.buffers():
            td.broadcast(buffer, src=0)


def broadcast_module(module: nn.Module) -> None:
    """Give every process the main one's parameters and buffers."""
    broadcast_buffers(module)
    if active():
        for parameter in module.parameters():
            td.broadcast(parameter.detach(), src=0)
