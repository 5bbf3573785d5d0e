"""Feature pyramid network: torchvision's, with two coarser levels made from P5."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from otadet.errors import InputError


class FPN(nn.Module):
    """Feature pyramid network (Lin et al. 2017) with P6 and P7 by strided convolutions.

    Args:
        in_channels: channels of the backbone's outputs, finest first.
        channels: channels of every output.
        extra_levels: also P6 and P7 (FCOS and RetinaNet); off for small images.
        strides: of the backbone's outputs, input pixels, finest first.

    Raises:
        InputError: ``in_channels`` and ``strides`` differ in length.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        extra_levels: bool = True,
        strides: Sequence[int] = (8, 16, 32),
    ) -> None:
        super().__init__()
        if len(in_channels) != len(strides):
            raise InputError(
                f"FPN: expected a stride for each of the backbone's {len(in_channels)} outputs; "
                f"got channels {tuple(in_channels)} and strides {tuple(strides)}"
            )
        extra = LastLevelP6P7(channels, channels) if extra_levels else None
        self.pyramid = FeaturePyramidNetwork(list(in_channels), channels, extra_blocks=extra)
        self.channels = channels
        coarser = (2 * strides[-1], 4 * strides[-1]) if extra_levels else ()
        self.strides = (*strides, *coarser)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Turn backbone features into pyramid features, both finest first."""
        named = OrderedDict((str(i), f) for i, f in enumerate(features))
        return list(self.pyramid(named).values())
