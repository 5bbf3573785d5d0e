"""The FCOS head: two towers shared by all levels, three outputs, one decode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otadet.boxes import boxes_from_ltrb
from otadet.errors import InputError
from otadet.points import corner_points, grid_points
from otadet.types import GridLevel, Predictions

Quality = Literal["iou", "centerness", "none"]
"""What the third branch learns; the network is the same for the first two."""

_GROUP = 8
"""Channels that GroupNorm takes together: 32 groups at the usual width of 256."""


class FCOSHead(nn.Module):
    """Towers of 3x3 convolution, GroupNorm and ReLU over every level (Tian et al. 2019).

    Args:
        in_channels: channels of the pyramid.
        num_classes: number of classes ``C``.
        strides: pixels between points, one a level.
        width: channels inside the towers, a multiple of 8.
        num_convs: convolutions in each tower.
        quality: whether there is a quality branch. It sits on the regression tower.
        tower_bias: a bias in the towers' convolutions, as torchvision has it.
        corners: points in the upper left corner of their cells, as torchvision has them, in place
            of the middle.
        prior: probability that a fresh network gives each class at each point
            (Lin et al. 2017, section 3.3).
    """

    class_layers: ClassVar[dict[str, int]] = {"cls_out": 0}
    """Layers with a row a class, and the number of rows before the first class."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        strides: Sequence[int],
        width: int = 256,
        num_convs: int = 4,
        quality: Quality = "iou",
        tower_bias: bool = False,
        corners: bool = False,
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        if width % _GROUP:
            raise InputError(f"head width: expected a multiple of {_GROUP}, got {width}")
        self.strides = tuple(strides)
        self.corners = corners
        self.cls_tower = _tower(in_channels, width, num_convs, tower_bias)
        self.reg_tower = _tower(in_channels, width, num_convs, tower_bias)
        tower_width = width if num_convs else in_channels
        self.cls_out = nn.Conv2d(tower_width, num_classes, 3, padding=1)
        self.reg_out = nn.Conv2d(tower_width, 4, 3, padding=1)
        self.quality_out = None if quality == "none" else nn.Conv2d(tower_width, 1, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(len(self.strides)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.constant_(_bias(self.cls_out), -math.log((1 - prior) / prior))
        # relu(scale * x) learns nothing where it is 0: start every side at one stride.
        nn.init.ones_(_bias(self.reg_out))

    def forward(self, features: Sequence[Tensor]) -> Predictions:
        """Pyramid features, finest first, to predictions in the input frame.

        Decoding is float32 under autocast: in half precision a coordinate near 1000 px is off by
        half a pixel.
        """
        cls: list[Tensor] = []
        reg: list[Tensor] = []
        quality: list[Tensor] = []
        for level, feature in enumerate(features):
            cls.append(_points_last(self.cls_out(self.cls_tower(feature))))
            tower = self.reg_tower(feature)
            reg.append(_points_last(self.reg_out(tower)).float() * self.scales[level])
            if self.quality_out is not None:
                quality.append(_points_last(self.quality_out(tower)).squeeze(-1))
        grid = [GridLevel(f.shape[-2], f.shape[-1], s) for f, s in zip(features, self.strides)]
        points = (corner_points if self.corners else grid_points)(grid, features[0].device)
        deltas = torch.cat(reg, dim=1)
        return Predictions(
            boxes=boxes_from_ltrb(points.xy, F.relu(deltas) * points.stride[:, None]),
            cls_logits=torch.cat(cls, dim=1),
            quality_logits=torch.cat(quality, dim=1) if quality else None,
            deltas=deltas,
            points=points,
        )


def _tower(in_channels: int, width: int, num_convs: int, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(num_convs):
        layers += [
            nn.Conv2d(width if index else in_channels, width, 3, padding=1, bias=bias),
            nn.GroupNorm(max(1, width // _GROUP), width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        raise ValueError("the output convolutions have a bias")
    return conv.bias


def _points_last(feature: Tensor) -> Tensor:
    """``[B, K, H, W]`` to ``[B, H * W, K]``; free of copies in channels_last."""
    return feature.permute(0, 2, 3, 1).flatten(1, 2)
