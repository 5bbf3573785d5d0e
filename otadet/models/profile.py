"""How large a network is: parameters, and operations by two counts that people compare."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from otadet.geometry import Size


@dataclass(frozen=True)
class ModelProfile:
    """Size of a network for one image.

    Attributes:
        params: number of parameters.
        flops: floating point operations of convolutions and matrix products, a multiply-add
            counted as two; exact, by ``torch.utils.flop_counter``.
        thop_gflops: thop's multiply-adds times 2 / 1e9, counted as in YOLOX's tables.
    """

    params: int
    flops: int
    thop_gflops: float

    def __str__(self) -> str:
        return (
            f"{self.params / 1e6:.2f} M parameters, {self.flops / 1e9:.2f} GFLOPs an image "
            f"(torch's count; thop's, as in YOLOX's tables: {self.thop_gflops:.2f})"
        )


def profile_model(model: nn.Module, size: Size) -> ModelProfile:
    """Count parameters and operations of ``model`` for one image of ``size`` (height, width)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # thop asks distutils for versions
        import thop
    # thop registers buffers on every module that it visits: only a copy may be touched.
    model = copy.deepcopy(model).eval()
    device = next(model.parameters()).device
    image = torch.zeros((1, 3, *size), dtype=torch.uint8, device=device)
    with torch.no_grad():
        counter = FlopCounterMode(display=False)
        with counter:
            model(image)
        macs, _ = thop.profile(model, inputs=(image,), verbose=False)
    return ModelProfile(
        params=sum(p.numel() for p in model.parameters()),
        flops=counter.get_total_flops(),
        thop_gflops=2 * macs / 1e9,
    )
