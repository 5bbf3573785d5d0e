"""A part of each kind in place of those of an FCOS."""

from __future__ import annotations

from collections.abc import Sequence

from toy_exp import ToyParts
from toy_parts import OneLayerHead

from otadet.exp import Exp
from otadet.models import Head


class ToyFcos(ToyParts, Exp):
    fpn_channels = 16

    def build_head(self, in_channels: int, num_classes: int, strides: Sequence[int]) -> Head:
        return OneLayerHead([in_channels] * len(strides), num_classes, strides)
