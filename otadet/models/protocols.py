"""Protocols of backbone, neck and head, the parts of a :class:`Detector`.

Any ``nn.Module`` with these attributes and this ``forward`` serves; nothing has to be inherited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from otadet.types import Predictions


class Backbone(Protocol):
    """``nn.Module`` that turns normalised images into features.

    Attributes:
        channels: of each output, finest first.
        strides: input pixels between neighbouring cells of each output, finest first.
    """

    @property
    def channels(self) -> Sequence[int]: ...

    @property
    def strides(self) -> Sequence[int]: ...

    def forward(self, images: Tensor, /) -> Sequence[Tensor]:
        """Turn images ``[B, 3, H, W]`` into features ``[B, channels, H / stride, W / stride]``."""
        ...

    def __call__(self, images: Tensor, /) -> Any: ...


class Neck(Protocol):
    """``nn.Module`` that turns a backbone's features into pyramid features.

    Attributes:
        channels: of every output where they are the same, else of each one, finest first.
        strides: input pixels between neighbouring cells of each output, finest first.
    """

    @property
    def channels(self) -> int | Sequence[int]: ...

    @property
    def strides(self) -> Sequence[int]: ...

    def forward(self, features: list[Tensor], /) -> Sequence[Tensor]:
        """Turn features of the backbone into pyramid features, both finest first."""
        ...

    def __call__(self, features: list[Tensor], /) -> Any: ...


class Head(Protocol):
    """``nn.Module`` that turns pyramid features into predictions.

    Attributes:
        strides: input pixels between neighbouring points of each level, finest first.
    """

    @property
    def strides(self) -> Sequence[int]: ...

    def forward(self, features: list[Tensor], /) -> Predictions:
        """Turn pyramid features, finest first, into predictions in the input frame."""
        ...

    def __call__(self, features: list[Tensor], /) -> Any: ...
