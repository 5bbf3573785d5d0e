"""A part of each kind in place of those of a YOLOX; mosaic and neck stay."""

from __future__ import annotations

from collections.abc import Sequence

from toy_exp import ToyParts
from toy_parts import OneLayerHead

from otadet.exp.yolox import YoloxExp
from otadet.models import Head


class ToyYolox(ToyParts, YoloxExp):
    depth = 0.33
    multiscale = None

    def build_head(
        self, in_channels: Sequence[int], num_classes: int, strides: Sequence[int]
    ) -> Head:
        return OneLayerHead(in_channels, num_classes, strides)
