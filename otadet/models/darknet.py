"""Backbones of the YOLO family: CSPDarknet in every size, and Darknet-53."""

from __future__ import annotations

from torch import Tensor, nn

from otadet.models.blocks import CSP, SPP, ConvNorm, Focus, conv3x3, leaky_relu


class CSPDarknet(nn.Module):
    """YOLOX's backbone: a Focus stem and four stages, each of half the resolution.

    Two numbers make all sizes: ``width`` multiplies the channels of the stages, 128, 256, 512 and
    1024; ``depth`` multiplies their bottlenecks, 3, 9, 9 and 3. SPP stands before the last
    stage's block, which adds no residuals.

    Args:
        depth: multiple of the number of blocks (0.33 to 1.33).
        width: multiple of the number of channels (0.25 to 1.25).
        depthwise: separable 3x3 convolutions behind the stem (nano).
    """

    strides = (8, 16, 32)

    def __init__(self, depth: float, width: float, depthwise: bool = False) -> None:
        super().__init__()
        stem = int(64 * width)
        few = max(1, round(3 * depth))
        many = 3 * few
        self.channels = (4 * stem, 8 * stem, 16 * stem)
        self.stem = Focus(stem)
        self.dark2 = _stage(stem, few, depthwise)
        self.dark3 = _stage(2 * stem, many, depthwise)
        self.dark4 = _stage(4 * stem, many, depthwise)
        self.dark5 = _stage(8 * stem, few, depthwise, last=True)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn images ``[B, 3, H, W]``, sides multiples of 32, into features, finest first."""
        fine = self.dark3(self.dark2(self.stem(images)))
        middle = self.dark4(fine)
        return [fine, middle, self.dark5(middle)]


def _stage(inputs: int, repeats: int, depthwise: bool, last: bool = False) -> nn.Sequential:
    outputs = 2 * inputs
    layers = [conv3x3(inputs, outputs, stride=2, depthwise=depthwise)]
    if last:
        layers.append(SPP(outputs, outputs))
    layers.append(CSP(outputs, outputs, repeats, residual=not last, depthwise=depthwise))
    return nn.Sequential(*layers)


class Darknet53(nn.Module):
    """YOLOv3's backbone (Redmon and Farhadi 2018) with the SPP of YOLOX's baseline.

    Residual blocks of its five stages: 1, 2, 8, 8, 4.
    """

    strides = (8, 16, 32)
    channels = (256, 512, 512)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(3, 32, 3, act=leaky_relu), *_residual_stage(32, 1))
        self.dark2 = nn.Sequential(*_residual_stage(64, 2))
        self.dark3 = nn.Sequential(*_residual_stage(128, 8))
        self.dark4 = nn.Sequential(*_residual_stage(256, 8))
        self.dark5 = nn.Sequential(
            *_residual_stage(512, 4),
            ConvNorm(1024, 512, act=leaky_relu),
            ConvNorm(512, 1024, 3, act=leaky_relu),
            SPP(1024, 512, act=leaky_relu),
            ConvNorm(512, 1024, 3, act=leaky_relu),
            ConvNorm(1024, 512, act=leaky_relu),
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn images ``[B, 3, H, W]``, sides multiples of 32, into features, finest first."""
        fine = self.dark3(self.dark2(self.stem(images)))
        middle = self.dark4(fine)
        return [fine, middle, self.dark5(middle)]


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer1 = ConvNorm(channels, channels // 2, act=leaky_relu)
        self.layer2 = ConvNorm(channels // 2, channels, 3, act=leaky_relu)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer2(self.layer1(x))
        return x + y


def _residual_stage(inputs: int, repeats: int) -> list[nn.Module]:
    down = ConvNorm(inputs, 2 * inputs, 3, stride=2, act=leaky_relu)
    return [down, *(_Residual(2 * inputs) for _ in range(repeats))]
