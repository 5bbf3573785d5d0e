"""Dense heads: two towers over every level and three outputs; FCOS's and RetinaNet's coding."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otadet.boxes import boxes_from_ltrb, boxes_from_squares
from otadet.errors import InputError
from otadet.models.deform_conv import ModulatedDeformConv2d
from otadet.points import corner_points, grid_points
from otadet.types import GridLevel, Points, Predictions

Quality = Literal["iou", "centerness", "none"]
"""What the third branch learns; the network is the same for the first two."""

_GROUP = 8
"""Channels that GroupNorm takes together: 32 groups at the usual width of 256."""


class DenseHead(nn.Module, ABC):
    """Towers of 3x3 convolution, GroupNorm and ReLU over every level (Tian et al. 2019).

    A subclass defines in :meth:`decode` what the four numbers of a point mean.

    Args:
        in_channels: channels of the pyramid.
        num_classes: number of classes ``C``.
        strides: pixels between points, one a level.
        width: channels inside the towers, a multiple of 8.
        num_convs: convolutions in each tower.
        quality: whether there is a quality branch. It sits on the regression tower.
        tower_bias: a bias in the towers' convolutions, as torchvision has it.
        corners: points in the upper left corner of their cells, as torchvision has them, in place
            of the centre.
        prior: probability that a fresh network gives each class at each point
            (Lin et al. 2017, section 3.3).
        deform: the last convolution of each tower is deformable.

    Raises:
        InputError: for a width that is no multiple of 8, or nothing to deform.
    """

    class_layers: ClassVar[dict[str, int]] = {"cls_out": 0}
    """Layers with a row, or several, for each class, and how many classes' rows come before the
    first class's."""
    first_delta: ClassVar[float] = 0.0
    """Regression output of a fresh network, before the decoding."""

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
        deform: bool = False,
    ) -> None:
        super().__init__()
        if width % _GROUP:
            raise InputError(f"head width: expected a multiple of {_GROUP}, got {width}")
        if deform and not num_convs:
            raise InputError("deform_head: expected a head with convolutions, got head_convs=0")
        self.strides = tuple(strides)
        self.corners = corners
        self.cls_tower = _tower(in_channels, width, num_convs, tower_bias, deform)
        self.reg_tower = _tower(in_channels, width, num_convs, tower_bias, deform)
        tower_width = width if num_convs else in_channels
        self.cls_out = nn.Conv2d(tower_width, num_classes, 3, padding=1)
        self.reg_out = nn.Conv2d(tower_width, 4, 3, padding=1)
        # Made in any case, so that the other layers start with the same numbers without it.
        quality_out = nn.Conv2d(tower_width, 1, 3, padding=1)
        self.quality_out = None if quality == "none" else quality_out
        self.scales = nn.Parameter(torch.ones(len(self.strides)))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, ModulatedDeformConv2d)):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ModulatedDeformConv2d):
                module.reset_offset()
        nn.init.constant_(_bias(self.cls_out), -math.log((1 - prior) / prior))
        nn.init.constant_(_bias(self.reg_out), self.first_delta)

    @abstractmethod
    def decode(self, points: Points, deltas: Tensor) -> Tensor:
        """Decode regression ``[B, A, 4]`` float32 into boxes ``[B, A, 4]`` xyxy, input frame."""

    def forward(self, features: Sequence[Tensor]) -> Predictions:
        """Turn pyramid features, finest first, into predictions in the input frame.

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
            boxes=self.decode(points, deltas),
            cls_logits=torch.cat(cls, dim=1),
            quality_logits=torch.cat(quality, dim=1) if quality else None,
            deltas=deltas,
            points=points,
        )


class FCOSHead(DenseHead):
    """FCOS's anchor-free head (Tian et al. 2019).

    The numbers of a point are the distances left, top, right and bottom in strides, ReLU applied.
    """

    # relu(scale * x) learns nothing where it is 0: start every side at one stride.
    first_delta: ClassVar[float] = 1.0

    def decode(self, points: Points, deltas: Tensor) -> Tensor:
        """Decode distances in strides ``[B, A, 4]`` into boxes ``[B, A, 4]`` xyxy, input frame."""
        return boxes_from_ltrb(points.xy, F.relu(deltas) * points.stride[:, None])


class RetinaHead(DenseHead):
    """RetinaNet's head with one square anchor a point, the anchor-based head of the paper.

    The numbers of a point are the shift of the centre in sides of the anchor and the logarithms of
    width and height over its side (Girshick et al. 2014, appendix C).

    OTA's RetinaNet has "only one square anchor per location" (section 4.2); neither the paper nor
    the official code says how large. Eight strides is what ATSS, its reference [47], gives
    RetinaNet with one anchor, and what the anchor-based assigners here start from. RetinaNet's own
    nine are of 4, 5.04 and 6.35 strides in three shapes. Towers have GroupNorm, and levels a scale,
    as in ATSS's comparison of the two, so that only the coding differs from FCOS.

    Args:
        anchor_scale: side of the anchor, strides.
        options: those of :class:`DenseHead`.

    Raises:
        InputError: for an anchor without area.
    """

    def __init__(self, *args: Any, anchor_scale: float = 8.0, **options: Any) -> None:
        super().__init__(*args, **options)
        if not anchor_scale > 0:
            raise InputError(f"anchor_scale: expected more than 0, got {anchor_scale:g}")
        self.anchor_scale = anchor_scale

    def decode(self, points: Points, deltas: Tensor) -> Tensor:
        """Decode shifts and logarithms ``[B, A, 4]`` into boxes ``[B, A, 4]`` xyxy, input frame."""
        return boxes_from_squares(points.xy, points.stride * self.anchor_scale, deltas)


def _tower(in_channels: int, width: int, num_convs: int, bias: bool, deform: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(num_convs):
        inputs = width if index else in_channels
        conv: nn.Module
        if deform and index == num_convs - 1:
            conv = ModulatedDeformConv2d(inputs, width, bias=bias)
        else:
            conv = nn.Conv2d(inputs, width, 3, padding=1, bias=bias)
        layers += [conv, nn.GroupNorm(max(1, width // _GROUP), width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        raise ValueError("the output convolutions have a bias")
    return conv.bias


def _points_last(feature: Tensor) -> Tensor:
    """Reshape ``[B, K, H, W]`` to ``[B, H * W, K]``; free of copies in channels_last."""
    return feature.permute(0, 2, 3, 1).flatten(1, 2)
