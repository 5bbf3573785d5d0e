"""A device that calls itself ``cuda`` and computes in main memory, to see what code asks of a GPU.

Its tensors say ``cuda:0``, so code takes the ways that it takes there, and their numbers are right.
Mixing them with tensors of the host is refused, and what makes the host wait is written down. What
it cannot know: autocast does nothing on it, and a wait inside torch that does not show among the
operations (:data:`ASKED_BY_DERIVATIVE` is the one known).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

CUDA = torch.device("cuda", 0)
PACKAGE = f"{Path(__file__).parents[1] / 'otadet'}/"
WAITING = {
    "_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal",
    "unique_consecutive", "bincount", "nms",
}  # fmt: skip
"""Operations whose result, or its shape, the host has to know."""
ASKED_BY_DERIVATIVE = "prod"
COPIES = {"_to_copy", "copy_"}
_BY_DEVICE = torch._C._group_tensors_by_device_and_dtype


class OnDevice(Tensor):
    """A tensor of the device; ``held`` of the host has its numbers. Below Python it is ``meta``,
    the only device of which torch believes everything."""

    held: Tensor
    device = CUDA  # type: ignore[assignment]
    is_cuda = True  # type: ignore[assignment]
    is_meta = False
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        made: OnDevice = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device="meta",
        )  # fmt: skip
        made.held = held
        return made

    def tolist(self) -> Any:
        """By a copy to the host, as a GPU's tensor does it."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} of a tensor that has left its device's block")


class PretendCuda(TorchDispatchMode):
    """The device while the block is open.

    Attributes:
        waits: how often each ``file:line operation`` of the package waited.
        operations: how many were started.
    """

    def __init__(self, float64: bool = True) -> None:
        super().__init__()
        self.float64 = float64
        self.waits: Counter[str] = Counter()
        self.operations = 0
        self._pinned = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func._schema.name.split("::")[1]
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        host = [t for t in tensors if not isinstance(t, OnDevice)]
        if name == "is_pinned":
            return args[0] in self._pinned
        if name in ("pin_memory", "_pin_memory"):
            return self._pin(args[0].clone())
        made_there = len(host) < len(tensors)
        if kwargs.get("device") is not None:
            made_there = torch.device(kwargs["device"]).type in ("cuda", "meta")
            kwargs["device"] = "cpu"
        if len(host) == len(tensors) and not made_there:
            return func(*args, **kwargs)
        self.operations += 1
        if name in COPIES:
            waits = self._copy_waits(args, kwargs, made_there)
        elif tensors and len(host) < len(tensors) and any(t.ndim for t in host):
            raise RuntimeError(f"{_place()} {name} mixes {[(t.device, t.shape) for t in tensors]}")
        else:
            waits = _waits(name, args, kwargs)
        if waits:
            self.waits[f"{_place()} {name}"] += 1
        args_held, kwargs_held = tree_map(
            lambda v: v.held if isinstance(v, OnDevice) else v, (args, kwargs)
        )
        made = func(*args_held, **kwargs_held)
        if not made_there:
            return made
        if not self.float64 and any(
            isinstance(v, Tensor) and v.dtype == torch.float64 for v in tree_leaves(made)
        ):
            raise TypeError(f"{_place()} {name}: the device has no float64")
        made = tree_map(lambda v: OnDevice(v) if isinstance(v, Tensor) else v, made)
        return return_and_correct_aliasing(func, args, kwargs, made)

    def _pin(self, value: Tensor) -> Tensor:
        self._pinned[value] = True
        return value

    def _copy_waits(self, args: Any, kwargs: Any, made_there: bool) -> bool:
        """Between host and device, unless it is asked not to and the host's side is pinned."""
        from_there = isinstance(args[1] if len(args) > 1 else args[0], OnDevice)
        host = args[0] if not isinstance(args[0], OnDevice) else args[-1]
        free = kwargs.get("non_blocking") or (len(args) > 2 and args[2])
        return from_there != made_there and not (free and host in self._pinned)


def _waits(name: str, args: Any, kwargs: Any) -> bool:
    if name == "repeat_interleave":
        return kwargs.get("output_size") is None
    if name in ("index", "index_put", "index_put_"):
        fills = name != "index" and args[2].numel() == 1  # torch makes a masked_fill of it
        return not fills and any(i is not None and i.dtype == torch.bool for i in args[1])
    return name in WAITING or (name == ASKED_BY_DERIVATIVE and torch.is_grad_enabled())


def _place() -> str:
    """The package's innermost line, ``elsewhere`` for derivatives."""
    frame = sys._getframe(1)
    while not (path := frame.f_code.co_filename).startswith(PACKAGE):
        if frame.f_back is None:
            return "elsewhere"
        frame = frame.f_back
    return f"{path.removeprefix(PACKAGE)}:{frame.f_lineno}"


def _grouped(*args: Any) -> Any:
    """What optimizers ask of tensors, which below Python are ``meta``."""
    found = _BY_DEVICE(*args)
    return {(CUDA if d and d.type == "meta" else d, t): v for (d, t), v in found.items()}


@contextmanager
def pretended(float64: bool = True) -> Iterator[PretendCuda]:
    """A machine with such a device; its tensors mean nothing outside of the block.

    Args:
        float64: without it the device refuses that dtype, as Apple's GPUs do.
    """
    with pytest.MonkeyPatch.context() as patch, PretendCuda(float64) as device:
        patch.setattr("torch.cuda._lazy_init", lambda: None)
        patch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
        patch.setattr("torch._C._group_tensors_by_device_and_dtype", _grouped)
        patch.setattr("torch.inference_mode", torch.no_grad)  # it refuses tensors of Python
        yield device
