"""Strided convolutions that keep the right gradient under bf16 autocast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _Fp32OnSmallMaps(nn.Module):
    """Mixin of a convolution: compute in float32 where the map is smaller than the stride."""

    stride: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        # Ordered so that export and tracing, where autocast is off, never ask for the size.
        if (
            x.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.is_grad_enabled()
            and any(size < step for size, step in zip(x.shape[2:], self.stride))
        ):
            with torch.autocast("cpu", enabled=False):
                result: Tensor = super().forward(x.float())
            return result
        result = super().forward(x)
        return result


def guard_strided_convolutions(network: nn.Module) -> None:
    """Make strided convolutions of a network compute maps smaller than their stride in float32.

    The bf16 weight gradient of oneDNN 3.12 (torch 2.14.1, CPUs with AVX512-BF16 or AMX) reads
    memory that nobody wrote where the input is narrower than the horizontal stride: not finite, or
    finite and wrong. The forward pass and the gradient of the input are right. FCOS meets it in P7
    once P6 is one cell wide, every backbone on a narrow enough image. Such maps have so few cells
    that float32 costs nothing, so height is guarded like width.

    Changes the class of the convolutions, subclasses included, in place; names and weights stay.
    """
    for module in network.modules():
        if (
            isinstance(module, nn.Conv2d)
            and not isinstance(module, _Fp32OnSmallMaps)
            and max(module.stride) > 1
        ):
            kind = type(module)
            module.__class__ = type(kind.__name__, (_Fp32OnSmallMaps, kind), {})


def remove_guard(network: nn.Module) -> None:
    """Undo :func:`guard_strided_convolutions`, for code that looks at the class of a layer."""
    for module in network.modules():
        if isinstance(module, _Fp32OnSmallMaps):
            module.__class__ = type(module).__bases__[1]
