"""Check tensors of a file before they are used: kind, type, shape, finite numbers.

Functions of ``Tensor`` are called by its name: an attribute may stand in a method's place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from otadet.schema import MOST, Check, fault, is_dict, shown

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
WHOLE = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool)
_DIMENSIONS = 64  # torch's own limit in most functions; the time goes with the square of it
_TYPES = (Tensor, nn.Parameter)


def tensor(
    dtypes: tuple[torch.dtype, ...] = FLOATS + WHOLE,
    shape: tuple[int | None, ...] | None = None,
    finite: bool = True,
) -> Check:
    """A tensor of numbers in the memory.

    Args:
        dtypes: those that it may have.
        shape: the size of each dimension, ``None`` for any; by default of any shape.
        finite: refuse NaN and infinity.
    """

    def check(value: Any, place: str) -> Iterator[str]:
        if (kind := _kind(value)) != "a dense tensor":
            yield f"{place}: expected a dense tensor in the memory, got {kind}"
        elif value.dtype not in dtypes:
            wanted = ", ".join(_name(each) for each in dtypes)
            yield f"{place}: expected numbers of the type {wanted}, got {_name(value.dtype)}"
        elif shape is not None and not _fits(value.shape, shape):
            sizes = ["any" if each is None else each for each in shape]
            yield f"{place}: expected the shape {sizes}, got {list(value.shape)}".replace("'", "")
        elif finite and (count := _not_finite(value)):
            yield f"{place}: {count:,} of {value.numel():,} numbers are NaN or infinite"

    return check


def weights(finite: bool = True) -> Check:
    """A network's state: tensors by name, which share their memory no more than twice."""
    each = tensor(finite=finite)

    def check(value: Any, place: str) -> Iterator[str]:
        if not is_dict(value):
            yield fault(place, "a dictionary of tensors", value)
            return
        items = list(value.items())
        if len(items) > MOST:
            yield f"{place}: expected at most {MOST:,} tensors, got {len(items):,}"
            return
        dense = [t for _, t in items if _kind(t) == "a dense tensor"]
        storages = map(Tensor.untyped_storage, dense)
        stored = {storage.data_ptr(): storage.nbytes() for storage in storages}
        size, most = sum(map(_bytes, dense)), 2 * sum(stored.values())
        if size > most:
            yield f"{place}: expected tensors of at most {most:,} bytes, got {size:,}"
            return
        for name, entry in items:
            if type(name) is not str:
                yield fault(place, "names of tensors", name)
                continue
            wrong = list(each(entry, f"{place}[{shown(name)}]"))
            yield from wrong
            if (
                not wrong
                and name.endswith("running_var")
                and bool((Tensor.detach(entry) < 0).any())
            ):
                yield f"{place}[{shown(name)}]: expected variances of at least 0"

    return check


def clean(value: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return checked weights as a plain dictionary of plain tensors, without further attributes."""
    return {name: Tensor.detach(entry) for name, entry in value.items()}


def _kind(value: object) -> str:
    """What a value is, as far as its numbers can be read."""
    if type(value) not in _TYPES:
        return shown(value)
    assert isinstance(value, Tensor)
    if value.device.type != "cpu":
        return f"one without numbers (device {value.device.type})"
    if value.layout != torch.strided or value.is_nested:
        return f"one of another layout ({'nested' if value.is_nested else value.layout})"
    if value.dim() > _DIMENSIONS:
        return f"one of {value.dim():,} dimensions"
    if value.is_quantized:
        return f"a quantized one ({_name(value.dtype)})"
    if _bytes(value) > (stored := Tensor.untyped_storage(value).nbytes()):
        return f"one of {_bytes(value):,} bytes over {stored:,}"
    return "a dense tensor"


def _bytes(value: Tensor) -> int:
    return Tensor.numel(value) * Tensor.element_size(value)


def _fits(found: torch.Size, wanted: tuple[int | None, ...]) -> bool:
    sides = zip(found, wanted)
    return len(found) == len(wanted) and all(want in (None, have) for have, want in sides)


def _not_finite(value: Tensor) -> int:
    value = Tensor.detach(value)
    if not value.is_floating_point() or not value.numel():
        return 0
    if value.dtype == torch.float64:  # what a network computes with
        value = value.float()
    # Several times as fast as isfinite(); what is not finite stays so in a sum.
    if math.isfinite(value.sum().item()):
        return 0
    return int((~value.isfinite()).sum())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
