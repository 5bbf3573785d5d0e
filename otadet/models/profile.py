"""Size of a network: parameters, and FLOPs by torch's count and by thop's."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from otadet.geometry import Size
from otadet.models.bf16_conv import remove_guard
from otadet.models.deform_conv import ModulatedDeformConv2d


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


def count_flops(model: nn.Module, size: Size) -> int:
    """Count the floating point operations of ``model`` for one image of ``size`` (height, width).

    A multiply-add counts as two. Exact for convolutions and matrix products; of deformable ones
    the products count and the sampling does not. Works on the meta device, without memory.
    """
    device = next(model.parameters()).device
    image = torch.zeros((1, 3, *size), dtype=torch.uint8, device=device)
    counter = FlopCounterMode(display=False, custom_mapping=_DEFORMABLE)
    was_training = model.training
    with torch.no_grad(), counter:
        model.eval()(image)
    model.train(was_training)
    return int(counter.get_total_flops())


def _deformable_flops(*shapes: Any, out_shape: Any, **_: Any) -> int:
    """Count ``deform_conv2d(input, weight, ...)``: as a plain convolution of the same shape."""
    _, inputs, height, width = shapes[1]  # channels of a group, and the kernel
    return int(2 * math.prod(out_shape) * inputs * height * width)


_DEFORMABLE = {torch.ops.torchvision.deform_conv2d: _deformable_flops}


def _count_macs(conv: ModulatedDeformConv2d, _: Any, output: Tensor) -> None:
    """Thop's rule for a deformable convolution and the one that makes its offsets."""
    places = output.numel() // output.shape[1]
    macs = places * (conv.weight.numel() + conv.offset.weight.numel())
    conv.total_ops += torch.DoubleTensor([macs])


def profile_model(model: nn.Module, size: Size) -> ModelProfile:
    """Count parameters and operations of ``model`` for one image of ``size`` (height, width)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # thop asks distutils for versions
        import thop
    # thop registers buffers on every module that it visits: only a copy may be touched.
    model = copy.deepcopy(model).eval()
    remove_guard(model)  # thop's rules are for exact classes
    flops = count_flops(model, size)
    device = next(model.parameters()).device
    image = torch.zeros((1, 3, *size), dtype=torch.uint8, device=device)
    rules = {ModulatedDeformConv2d: _count_macs}
    with torch.no_grad():
        macs, _ = thop.profile(model, inputs=(image,), custom_ops=rules, verbose=False)
    return ModelProfile(
        params=sum(p.numel() for p in model.parameters()),
        flops=flops,
        thop_gflops=2 * macs / 1e9,
    )
