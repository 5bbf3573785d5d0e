"""Numerical precision: fp32, or half precision under autocast, and loss scaling."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from otadet.errors import InputError

PrecisionName = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True)
class Precision:
    """Precision of forward passes on a device.

    Attributes:
        name: ``fp32``, ``fp16`` (with loss scaling) or ``bf16``.
        device_type: ``cuda``, ``mps`` or ``cpu``.

    Raises:
        InputError: for fp16 on a CPU, whose convolutions have no fast fp16 form.
    """

    name: PrecisionName
    device_type: str

    def __post_init__(self) -> None:
        if self.name == "fp16" and self.device_type == "cpu":
            raise InputError("--fp16 needs a GPU; use --bf16 or no flag on the CPU")

    def autocast(self) -> AbstractContextManager[object]:
        """Return the autocast context of a forward pass; no effect for fp32."""
        dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[self.name]
        return torch.autocast(self.device_type, dtype=dtype, enabled=self.name != "fp32")

    def scaler(self) -> torch.amp.GradScaler:
        """Build the loss scaler.

        Except for fp16 its scale is fixed: it only skips steps with a non-finite gradient, on the
        device.
        """
        enabled = self.name == "fp16" or self.device_type != "mps"
        return torch.amp.GradScaler(
            self.device_type, init_scale=self.fixed_scale or 2.0**16, enabled=enabled
        )

    @property
    def fixed_scale(self) -> float | None:
        """Fixed loss scale; ``None`` where the scaler adapts it."""
        return None if self.name == "fp16" else 1.0


def cpu_has_bf16() -> bool:
    """Whether bf16 convolutions run in hardware here; elsewhere they are slower than fp32."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def choose_precision(asked: PrecisionName | None, device_type: str, auto: bool) -> Precision:
    """Return the requested precision; by default fp32, with ``auto`` bf16 on CPUs with bf16.

    Args:
        asked: by the command line, ``None`` where it says nothing.
        device_type: ``cuda``, ``mps`` or ``cpu``.
        auto: take bf16 unasked on a CPU whose convolutions run in it.

    Raises:
        InputError: for fp16 on a CPU.
    """
    if asked is not None:
        return Precision(asked, device_type)
    fast = auto and device_type == "cpu" and cpu_has_bf16()
    return Precision("bf16" if fast else "fp32", device_type)
