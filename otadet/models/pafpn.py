"""Feature pyramids of the YOLO family: PAFPN (YOLOX) and the top-down one of YOLOv3."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otadet.errors import InputError
from otadet.models.blocks import CSP, ConvNorm, conv3x3, leaky_relu


class PAFPN(nn.Module):
    """Path aggregation network (Liu et al. 2018) of three levels: coarse to fine, then back.

    Args:
        channels: of the backbone's features, finest first; the outputs have the same.
        depth: multiple of the three bottlenecks of each block.
        depthwise: separable 3x3 convolutions (nano).
        strides: of the backbone's features, finest first, each twice the one before.

    Raises:
        InputError: the backbone's levels are not three, each of half the size of the one before.
    """

    def __init__(
        self,
        channels: Sequence[int],
        depth: float,
        depthwise: bool = False,
        strides: Sequence[int] = (8, 16, 32),
    ) -> None:
        super().__init__()
        first = strides[0]
        if len(channels) != 3 or tuple(strides) != (first, 2 * first, 4 * first):
            raise InputError(
                "PAFPN: expected a backbone with three outputs, each of twice the stride of the "
                f"one before; got channels {tuple(channels)} and strides {tuple(strides)}"
            )
        fine, middle, coarse = channels
        self.strides = tuple(strides)
        self.channels = (fine, middle, coarse)
        repeats = round(3 * depth)

        def block(inputs: int, outputs: int) -> CSP:
            return CSP(inputs, outputs, repeats, residual=False, depthwise=depthwise)

        self.reduce5 = ConvNorm(coarse, middle)
        self.top_down4 = block(2 * middle, middle)
        self.reduce4 = ConvNorm(middle, fine)
        self.top_down3 = block(2 * fine, fine)
        self.down3 = conv3x3(fine, fine, stride=2, depthwise=depthwise)
        self.bottom_up4 = block(2 * fine, middle)
        self.down4 = conv3x3(middle, middle, stride=2, depthwise=depthwise)
        self.bottom_up5 = block(2 * middle, coarse)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Turn backbone features into pyramid features of the same shapes, finest first."""
        c3, c4, c5 = features
        lateral5 = self.reduce5(c5)
        lateral4 = self.reduce4(self.top_down4(torch.cat([_doubled(lateral5), c4], dim=1)))
        p3 = self.top_down3(torch.cat([_doubled(lateral4), c3], dim=1))
        p4 = self.bottom_up4(torch.cat([self.down3(p3), lateral4], dim=1))
        p5 = self.bottom_up5(torch.cat([self.down4(p4), lateral5], dim=1))
        return [p3, p4, p5]


class TopDownFPN(nn.Module):
    """YOLOv3's pyramid over :class:`~otadet.models.darknet.Darknet53`: coarse to fine only."""

    strides = (8, 16, 32)
    channels = (128, 256, 512)

    def __init__(self) -> None:
        super().__init__()
        self.reduce5 = ConvNorm(512, 256, act=leaky_relu)
        self.merge4 = _alternating(256 + 512, 256)
        self.reduce4 = ConvNorm(256, 128, act=leaky_relu)
        self.merge3 = _alternating(128 + 256, 128)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Turn backbone features into pyramid features, finest first."""
        c3, c4, c5 = features
        p4 = self.merge4(torch.cat([_doubled(self.reduce5(c5)), c4], dim=1))
        p3 = self.merge3(torch.cat([_doubled(self.reduce4(p4)), c3], dim=1))
        return [p3, p4, c5]


def _alternating(inputs: int, outputs: int) -> nn.Sequential:
    """Five convolutions, 1x1 to ``outputs`` and 3x3 to twice as many in turn."""
    layers: list[nn.Module] = [ConvNorm(inputs, outputs, act=leaky_relu)]
    for _ in range(2):
        layers.append(ConvNorm(outputs, 2 * outputs, 3, act=leaky_relu))
        layers.append(ConvNorm(2 * outputs, outputs, act=leaky_relu))
    return nn.Sequential(*layers)


def _doubled(feature: Tensor) -> Tensor:
    return F.interpolate(feature, scale_factor=2.0, mode="nearest")
