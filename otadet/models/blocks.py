"""Building blocks of the YOLO family.

Names of modules inside a block are those of YOLOX, so that its published weights find their place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NORM_EPS = 1e-3
_NORM_MOMENTUM = 0.03
"""BatchNorm of all published YOLOX weights; torch's defaults are 1e-5 and 0.1."""


def silu() -> nn.Module:
    """Make the activation of CSPDarknet, PAFPN and YOLOX's head."""
    return nn.SiLU(inplace=True)


def leaky_relu() -> nn.Module:
    """Make the activation of Darknet-53 and the pyramid of YOLOv3."""
    return nn.LeakyReLU(0.1, inplace=True)


class ConvNorm(nn.Module):
    """Convolution, BatchNorm, activation; ``same`` padding.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: odd size of the kernel.
        stride: 1 or 2.
        groups: of the convolution.
        act: makes the activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: Callable[[], nn.Module] = silu,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs, eps=_NORM_EPS, momentum=_NORM_MOMENTUM)
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``[B, inputs, H, W]`` into ``[B, outputs, H / stride, W / stride]``."""
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class Separable(nn.Module):
    """3x3 convolution split into one per channel and a 1x1 across channels (MobileNet)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.dconv = ConvNorm(inputs, inputs, 3, stride, groups=inputs)
        self.pconv = ConvNorm(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``[B, inputs, H, W]`` into ``[B, outputs, H / stride, W / stride]``."""
        y: Tensor = self.pconv(self.dconv(x))
        return y


def conv3x3(inputs: int, outputs: int, stride: int = 1, depthwise: bool = False) -> nn.Module:
    """Make a 3x3 convolution with norm and activation, plain or separable."""
    if depthwise:
        return Separable(inputs, outputs, stride)
    return ConvNorm(inputs, outputs, 3, stride)


class Bottleneck(nn.Module):
    """1x1 and 3x3 convolution, with the input added where ``residual``."""

    def __init__(self, channels: int, residual: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, channels)
        self.conv2 = conv3x3(channels, channels, depthwise=depthwise)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``[B, channels, H, W]`` into the same shape."""
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self.residual else y


class CSP(nn.Module):
    """Cross stage partial block (Wang et al. 2020): half the channels skip the bottlenecks.

    Args:
        inputs: channels.
        outputs: channels.
        repeats: number of bottlenecks.
        residual: whether a bottleneck adds its input.
        depthwise: separable 3x3 convolutions.
    """

    def __init__(
        self, inputs: int, outputs: int, repeats: int, residual: bool, depthwise: bool
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = ConvNorm(inputs, half)
        self.conv2 = ConvNorm(inputs, half)
        self.conv3 = ConvNorm(2 * half, outputs)
        self.m = nn.Sequential(*(Bottleneck(half, residual, depthwise) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``[B, inputs, H, W]`` into ``[B, outputs, H, W]``."""
        y: Tensor = self.conv3(torch.cat([self.m(self.conv1(x)), self.conv2(x)], dim=1))
        return y


class SPP(nn.Module):
    """Spatial pyramid pooling (He et al. 2014): maxima over 5, 9 and 13 cells beside the input."""

    def __init__(self, inputs: int, outputs: int, act: Callable[[], nn.Module] = silu) -> None:
        super().__init__()
        half = inputs // 2
        self.conv1 = ConvNorm(inputs, half, act=act)
        self.conv2 = ConvNorm(4 * half, outputs, act=act)

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``[B, inputs, H, W]`` into ``[B, outputs, H, W]``."""
        maxima = [self.conv1(x)]
        for _ in range(3):  # a maximum over 5 of maxima over 5 is one over 9, and so on
            maxima.append(F.max_pool2d(maxima[-1], 5, stride=1, padding=2))
        y: Tensor = self.conv2(torch.cat(maxima, dim=1))
        return y


class Focus(nn.Module):
    """Space-to-depth of 2x2 pixels into 12 channels, then a 3x3 convolution.

    The four patches of three colours follow each other as top left, bottom left, top right,
    bottom right.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = ConvNorm(12, outputs, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Turn ``[B, 3, H, W]``, both even, into ``[B, outputs, H / 2, W / 2]``."""
        rows = (images[..., ::2, :], images[..., 1::2, :])
        patches = [half[..., column::2] for column in (0, 1) for half in rows]
        y: Tensor = self.conv(torch.cat(patches, dim=1))
        return y
