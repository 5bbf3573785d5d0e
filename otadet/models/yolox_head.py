"""Heads of the YOLO family: YOLOX's decoupled one and YOLOv3's coupled one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from otadet.boxes import boxes_from_cells
from otadet.models.blocks import ConvNorm, conv3x3
from otadet.points import grid_points
from otadet.types import GridLevel, Predictions


class YOLOXHead(nn.Module):
    """YOLOX's decoupled head (Ge et al. 2021, Figure 2): a stem and two towers a level.

    Levels share nothing. Objectness and the box sit on the regression tower, the classes on
    their own.

    Args:
        in_channels: channels of each pyramid level.
        num_classes: number of classes ``C``.
        strides: pixels between points, one a level.
        width: channels inside the towers, 256 times the network's width.
        num_convs: 3x3 convolutions in each tower.
        depthwise: separable convolutions in the towers (nano).
        prior: probability that a fresh network gives objectness and each class.
    """

    class_layers: ClassVar[dict[str, int]] = {"cls_preds": 0}
    """Layers with a row a class, and the number of rows before the first class."""

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        strides: Sequence[int],
        width: int = 256,
        num_convs: int = 2,
        depthwise: bool = False,
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)

        def tower() -> nn.Sequential:
            return nn.Sequential(
                *(conv3x3(width, width, depthwise=depthwise) for _ in range(num_convs))
            )

        self.stems = nn.ModuleList(ConvNorm(c, width) for c in in_channels)
        self.cls_convs = nn.ModuleList(tower() for _ in in_channels)
        self.reg_convs = nn.ModuleList(tower() for _ in in_channels)
        self.cls_preds = nn.ModuleList(_output(width, num_classes, prior) for _ in in_channels)
        self.reg_preds = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in in_channels)
        self.obj_preds = nn.ModuleList(_output(width, 1, prior) for _ in in_channels)

    def forward(self, features: Sequence[Tensor]) -> Predictions:
        """Turn pyramid features, finest first, into predictions in the input frame."""
        outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        for level, feature in enumerate(features):
            stem = self.stems[level](feature)
            reg = self.reg_convs[level](stem)
            cls = self.cls_preds[level](self.cls_convs[level](stem))
            outputs.append((self.reg_preds[level](reg), self.obj_preds[level](reg), cls))
        return _predictions(outputs, self.strides)


class CoupledHead(nn.Module):
    """YOLOv3's coupled head: one 1x1 convolution a level; the baseline of the decoupled one.

    Args:
        in_channels: channels of each pyramid level.
        num_classes: number of classes ``C``.
        strides: pixels between points, one a level.
        prior: probability that a fresh network gives objectness and each class.
    """

    class_layers: ClassVar[dict[str, int]] = {"preds": 5}
    """Layers with a row a class, and the number of rows before the first class."""

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        strides: Sequence[int],
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.preds = nn.ModuleList(_output(c, 5 + num_classes, prior, 4) for c in in_channels)

    def forward(self, features: Sequence[Tensor]) -> Predictions:
        """Turn pyramid features, finest first, into predictions in the input frame."""
        maps = [p(f) for p, f in zip(self.preds, features)]
        return _predictions([(m[:, :4], m[:, 4:5], m[:, 5:]) for m in maps], self.strides)


def _output(inputs: int, outputs: int, prior: float, skip: int = 0) -> nn.Conv2d:
    """Make a 1x1 convolution whose outputs from ``skip`` on start at probability ``prior``."""
    conv = nn.Conv2d(inputs, outputs, 1)
    if conv.bias is None:
        raise ValueError("the output convolutions have a bias")
    nn.init.constant_(conv.bias[skip:], -math.log((1 - prior) / prior))
    return conv


def _predictions(
    outputs: Sequence[tuple[Tensor, Tensor, Tensor]], strides: Sequence[int]
) -> Predictions:
    """Decode box, quality and class maps ``[B, 4 | 1 | C, H, W]`` of all levels in float32.

    Each kind gets memory of its own: what follows reads them one by one.
    """
    boxes, quality, classes = zip(*outputs)
    grid = [GridLevel(b.shape[-2], b.shape[-1], s) for b, s in zip(boxes, strides)]
    points = grid_points(grid, boxes[0].device)
    deltas = _points_last(boxes).float()
    return Predictions(
        boxes=boxes_from_cells(points.xy, points.stride, deltas),
        cls_logits=_points_last(classes),
        quality_logits=_points_last(quality).squeeze(-1),
        deltas=deltas,
        points=points,
    )


def _points_last(maps: Sequence[Tensor]) -> Tensor:
    """Turn maps ``[B, K, H, W]`` of all levels into ``[B, A, K]``; one copy in channels_last."""
    return torch.cat([m.permute(0, 2, 3, 1).flatten(1, 2) for m in maps], dim=1)
