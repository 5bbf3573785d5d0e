"""Digests of a run's initial weights, by which runs that began alike are recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from otadet.atomic import atomic_write

FILE = "initial_weights.json"
"""In the run directory."""


def weight_digests(model: nn.Module) -> dict[str, str]:
    """Return a digest of every parameter and buffer by name; equal for the same bytes and shape."""
    return {name: _digest(tensor) for name, tensor in model.state_dict().items()}


def _digest(tensor: Tensor) -> str:
    shape = f"{tensor.dtype}{list(tensor.shape)}"
    values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return hashlib.sha256(shape.encode() + values.tobytes()).hexdigest()[:16]


def write_digests(model: nn.Module, folder: Path) -> None:
    """Write the digests of a network that has not taken a step to the run directory."""
    atomic_write(folder / FILE, json.dumps(weight_digests(model), indent=1) + "\n")


def read_digests(folder: Path) -> Mapping[str, str]:
    """Read the digests of a run; empty where the run directory has none (older runs)."""
    path = folder / FILE
    if not path.is_file():
        return {}
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found
