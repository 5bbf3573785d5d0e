"""What a backbone, a neck and a head have to offer: the parts of a :class:`Detector`.

Any ``nn.Module`` with these attributes and this ``forward`` serves; nothing has to be inherited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from otadet.types import Predictions


class Backbone(Protocol):
    """An ``nn.Module`` that turns normalised images into features.

    Attributes:
        channels: of each output, finest first.
        strides: input pixels between neighbouring cells of each output, finest first.
    """

    @property
    def channels(self) -> Sequence[int]: ...

    @property
    def strides(self) -> Sequence[int]: ...

    def forward(self, images: Tensor, /) -> Sequence[Tensor]:
        """Images ``[B, 3, H, W]`` to features ``[B, channels, H / stride, W / stride]``."""
        ...

    def __call__(self, images: Tensor, /) -> Any: ...


class Neck(Protocol):
    """An ``nn.Module`` that turns a backbone's features into pyramid features.

    Attributes:
        channels: of every output where they are the same, else of each one, finest first.
        strides: input pixels between neighbouring cells of each output, finest first.
    """

    @property
    def channels(self) -> int | Sequence[int]: ...

    @property
    def strides(self) -> Sequence[int]: ...

    def forward(self, features: list[Tensor], /) -> Sequence[Tensor]:
        """Features of the backbone to pyramid features, both finest first."""
        ...

    def __call__(self, features: list[Tensor], /) -> Any: ...


class Head(Protocol):
    """An ``nn.Module`` that turns pyramid features into predictions.

    Attributes:
        strides: input pixels between neighbouring points of each level, finest first.
    """

    @property
    def strides(self) -> Sequence[int]: ...

    def forward(self, features: list[Tensor], /) -> Predictions:
        """Pyramid features, finest first, to predictions in the input frame."""
        ...

    def __call__(self, features: list[Tensor], /) -> Any: ...
