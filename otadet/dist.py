"""Collectives over the training processes; each also works in a single process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch.distributed as td
from torch import Tensor, nn

T = TypeVar("T")

_LOCAL_ONLY: ContextVar[bool] = ContextVar("local_only", default=False)


def active() -> bool:
    """Return whether this process belongs to a group and is outside of :func:`local_only`."""
    return td.is_available() and td.is_initialized() and not _LOCAL_ONLY.get()


@contextmanager
def local_only() -> Iterator[None]:
    """Disable all collectives in the block, for work that not all processes do."""
    token = _LOCAL_ONLY.set(True)
    try:
        yield
    finally:
        _LOCAL_ONLY.reset(token)


def rank() -> int:
    """Return the index of this process, 0 in a single process."""
    return td.get_rank() if active() else 0


def world_size() -> int:
    """Return the number of processes."""
    return td.get_world_size() if active() else 1


def is_main() -> bool:
    """Return whether this is the main process, which writes files and decides."""
    return rank() == 0


def mean(value: Tensor) -> Tensor:
    """Average ``value`` over all processes; not differentiable. A single process keeps it."""
    if not active():
        return value
    total = value.detach().clone()
    td.all_reduce(total)
    return total / world_size()


def minimum(value: Tensor) -> Tensor:
    """Return the smallest ``value`` of all processes; a single process returns it as is."""
    if not active():
        return value
    smallest = value.detach().clone()
    td.all_reduce(smallest, op=td.ReduceOp.MIN)
    return smallest


def barrier() -> None:
    """Wait until all processes arrive here."""
    if active():
        td.barrier()


def gather_objects(value: T) -> list[T]:
    """Return every process's picklable ``value`` in the order of ranks, on every process."""
    if not active():
        return [value]
    values: list[Any] = [None] * world_size()
    td.all_gather_object(values, value)
    return values


def broadcast_buffers(module: nn.Module) -> None:
    """Broadcast the main process's buffers, such as BatchNorm's statistics."""
    if active():
        for buffer in module.buffers():
            td.broadcast(buffer, src=0)


def broadcast_module(module: nn.Module) -> None:
    """Broadcast the main process's parameters and buffers."""
    broadcast_buffers(module)
    if active():
        for parameter in module.parameters():
            td.broadcast(parameter.detach(), src=0)
