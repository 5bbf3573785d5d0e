"""A detector is a backbone, a neck and a head: images in, predictions out, always."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from otadet.types import Predictions

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


class Normalize(nn.Module):
    """``(pixel - mean) / std`` of RGB pixels 0 to 255, on the device where the network runs.

    Args:
        mean: of each colour.
        std: of each colour.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> None:
        super().__init__()
        # Not persistent: they are settings of the experiment, not something learned.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 or float images ``[B, 3, H, W]`` to float32."""
        return (images.float() - self.mean) / self.std


class Detector(nn.Module):
    """The one forward pass, used by training, evaluation, drawing and export.

    Args:
        backbone: normalised images to features, finest first.
        neck: features to pyramid features.
        head: pyramid features to :class:`~otadet.types.Predictions`.
        normalize: pixels to what the backbone was trained on.
    """

    def __init__(
        self, backbone: nn.Module, neck: nn.Module, head: nn.Module, normalize: nn.Module
    ) -> None:
        super().__init__()
        self.normalize = normalize
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, images: Tensor) -> Predictions:
        """uint8 or float RGB images ``[B, 3, H, W]``, 0 to 255, to predictions, input frame."""
        predictions: Predictions = self.head(self.neck(self.backbone(self.normalize(images))))
        return predictions
