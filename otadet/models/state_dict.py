"""Read files of weights safely and load state dicts, with one line where they do not fit."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from otadet.errors import InputError

_NUMBERS: list[Any] = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.float64)),
    type(np.dtype(np.float32)),
]
"""numpy's numbers, which YOLOX's trainer leaves in its files; they make nothing but numbers."""

_COUNTER = "num_batches_tracked"  # FrozenBatchNorm2d has none; nothing depends on it


def read_file(path: Path, what: str) -> Any:
    """Read a file of ``torch.save`` onto the CPU; nothing in the file is executed.

    Args:
        path: the file.
        what: name of the file in the message.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file")
    try:
        with torch.serialization.safe_globals(_NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle that is refused right after
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of any kind raise nearly anything in an unpickler
        raise InputError(
            f"{what} {path}: not a checkpoint that can be read: {_reason(path, error)}"
        ) from error


def _reason(path: Path, error: Exception) -> str:
    """Return one line on what is wrong with a file; torch's own message advises to run it."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page; the address it came from gave no file"
    if not start:
        return "it is empty"
    text = str(error).strip() or type(error).__name__
    if "Weights only load failed" not in text:
        return text.splitlines()[0][:160]
    if foreign := re.search(r"GLOBAL (\w[\w.]*)", text):
        return f"it holds {foreign[1]}, not only tensors and plain values; nothing in it was run"
    detail = re.search(r"WeightsUnpickler error:\s*([^\n]+)", text)
    return f"torch.save did not write it ({detail[1][:100] if detail else 'unknown bytes'})"


def load_state(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load ``state`` into ``module``, whole or not at all.

    Args:
        module: changed in place.
        state: tensors by name.
        source: where they came from, for the message.

    Raises:
        InputError: names or shapes differ; states how many and the first of them.
    """
    own = {k: v for k, v in module.state_dict().items() if not k.endswith(_COUNTER)}
    theirs = {k: v for k, v in state.items() if not k.endswith(_COUNTER)}
    missing = [k for k in own if k not in theirs]
    unknown = [k for k in theirs if k not in own]
    reshaped = [k for k in own if k in theirs and own[k].shape != theirs[k].shape]
    if missing or unknown or reshaped:
        if reshaped:
            key = reshaped[0]
            first = f"{key} is {list(theirs[key].shape)} there and {list(own[key].shape)} here"
        else:
            first = f"{(missing or unknown)[0]} is {'missing' if missing else 'unknown'}"
        raise InputError(
            f"{source}: the weights of another network: {len(missing)} entries missing, "
            f"{len(unknown)} unknown, {len(reshaped)} of another shape; {first}"
        )
    counters = {k: v for k, v in state.items() if k.endswith(_COUNTER)}
    known = module.state_dict().keys()
    module.load_state_dict({**theirs, **{k: v for k, v in counters.items() if k in known}}, False)
