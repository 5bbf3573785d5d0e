"""A device that calls itself ``cuda`` and computes in main memory, to see what code asks of one.

Its tensors say ``cuda:0``, so that the code takes the ways that it takes on a GPU, and their
numbers are right. It refuses, as a GPU does, to mix them with tensors of the host, and notes every
operation for which the host would have to wait.
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

HERE = Path(__file__).parents[1] / "otadet"
CUDA = torch.device("cuda", 0)
AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCUDA)

WAITS = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2",
    "aten::unique_dim", "aten::unique_consecutive", "aten::equal", "aten::bincount",
    "aten::is_nonzero", "torchvision::nms",
}  # fmt: skip
"""Operations whose result's shape, or whose very result, the host has to know."""

COPIES = {"aten::_to_copy", "aten::copy_"}
PINNED = {"aten::pin_memory", "aten::_pin_memory", "aten::is_pinned"}


class OnDevice(Tensor):
    """A tensor of the device; ``data`` of the host holds its numbers."""

    held: Tensor
    device = CUDA  # type: ignore[assignment]
    is_cuda = True  # type: ignore[assignment]
    is_meta = False

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        made: OnDevice = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device="meta", _extra_dispatch_keys=AUTOCAST,
        )  # fmt: skip
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self) -> Any:
        """As a GPU's tensor does it: by a copy."""
        return self.cpu().tolist()

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"OnDevice({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of the device's mode")


class PretendCuda(TorchDispatchMode):
    """Counts operations and waits while it is active.

    Attributes:
        waits: how often each ``file:line (operation)`` of the package waited.
        operations: how many were started on the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.operations = 0
        self._pinned = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func._schema.name
        leaves = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        here = [t for t in leaves if not isinstance(t, OnDevice)]
        if name in PINNED:
            return self._pin(name, args[0])
        wanted = kwargs.get("device")
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
        pin = kwargs.get("pin_memory") or False
        kwargs |= {"pin_memory": False} if pin else {}
        there = len(here) < len(leaves)
        target = torch.device(wanted).type in ("cuda", "meta") if wanted is not None else there
        if not (there or target):
            made = func(*args, **kwargs)
            if pin:
                self._pinned[made] = True
            return made
        self.operations += 1
        if name in COPIES:
            self._copied(name, args, kwargs, target)
        elif there and any(t.ndim for t in here):
            shapes = [f"{t.device} {tuple(t.shape)}" for t in leaves]
            raise RuntimeError(f"{name} mixes devices at {_place()}: {', '.join(shapes)}")
        elif name in WAITS or _asks(name, args, kwargs):
            self.waits[f"{_place()} ({name.split('::')[1]})"] += 1
        held = tree_map(lambda v: v.held if isinstance(v, OnDevice) else v, (args, kwargs))
        made = func(*held[0], **held[1])
        if name == "aten::_to_copy" and made is args[0]:
            made = made.clone()
        if target:
            made = tree_map(lambda v: OnDevice(v) if isinstance(v, Tensor) else v, made)
        return return_and_correct_aliasing(func, args, kwargs, made) if target else made

    def _pin(self, name: str, value: Tensor) -> Any:
        if isinstance(value, OnDevice):
            return False
        if name == "aten::is_pinned":
            return value in self._pinned
        made = value.clone()
        self._pinned[made] = True
        return made

    def _copied(self, name: str, args: Any, kwargs: Any, target: bool) -> None:
        """A copy across the bus waits unless it is asked not to and the host's side is pinned."""
        if name == "aten::copy_":
            pair = args[0], args[1]
            free = kwargs.get("non_blocking") or (len(args) > 2 and args[2])
        else:
            pair = args[0], args[0]
            free = kwargs.get("non_blocking")
            if isinstance(args[0], OnDevice) == target:
                return
        if name == "aten::copy_" and isinstance(pair[0], OnDevice) == isinstance(pair[1], OnDevice):
            return
        host = [t for t in pair if not isinstance(t, OnDevice)]
        pinned = any(t in self._pinned for t in host)
        if not (free and pinned):
            self.waits[f"{_place()} ({name.split('::')[1]} {'to' if target else 'from'} host)"] += 1


def _asks(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a mask's count is asked for."""
    if name == "aten::prod":
        return torch.is_grad_enabled()  # its derivative counts the zeros
    if name == "aten::repeat_interleave":
        return kwargs.get("output_size") is None
    if name in ("aten::index", "aten::index_put", "aten::index_put_"):
        masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
        fills = name != "aten::index" and args[2].numel() == 1  # it is a masked_fill then
        return bool(masks) and not fills
    return False


def _place() -> str:
    """The package's innermost line."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(HERE):
            return f"{path.relative_to(HERE)}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"


@contextmanager
def pretended() -> Iterator[PretendCuda]:
    """A machine with such a device."""
    with pytest.MonkeyPatch.context() as patch, PretendCuda() as mode:
        patch.setattr("torch.inference_mode", torch.no_grad)  # it knows no tensors of Python
        patch.setattr("torch.cuda._lazy_init", lambda: None)
        patch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
        patch.setattr("torch._C._group_tensors_by_device_and_dtype", _grouped)
        yield mode


_BY_DEVICE = torch._C._group_tensors_by_device_and_dtype


def _grouped(*args: Any) -> Any:
    """What optimizers ask; seen from C++ the device is ``meta``."""
    found = _BY_DEVICE(*args)
    return {(CUDA if d and d.type == "meta" else d, t): v for (d, t), v in found.items()}
