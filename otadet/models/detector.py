"""Detector of backbone, neck and head: images in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from otadet.errors import InputError
from otadet.models.bf16_conv import guard_strided_convolutions
from otadet.models.protocols import Backbone, Head, Neck
from otadet.texts import nearest
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
        self.is_identity = not any(mean) and all(value == 1 for value in std)
        # Not persistent: they are settings of the experiment, not something learned.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise uint8 or float images ``[B, 3, H, W]`` to float32."""
        if self.is_identity:  # YOLOX: two passes over all pixels less, 1 % of a step of nano
            return images.float()
        return (images.float() - self.mean) / self.std


class Detector(nn.Module):
    """Network of a backbone, a neck and a head; the one forward pass of all uses.

    Args:
        backbone: normalised images to features, finest first.
        neck: features to pyramid features.
        head: pyramid features to :class:`~otadet.types.Predictions`.
        normalize: pixels to what the backbone was trained on.
    """

    def __init__(self, backbone: Backbone, neck: Neck, head: Head, normalize: nn.Module) -> None:
        super().__init__()
        for name, part in (("backbone", backbone), ("neck", neck), ("head", head)):
            if not isinstance(part, nn.Module):  # else its weights are not registered
                raise TypeError(f"{name}: expected an nn.Module, got {type(part).__name__}")
        self.normalize = normalize
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.frozen: tuple[str, ...] = ()
        guard_strided_convolutions(self)

    def freeze(self, prefixes: Sequence[str]) -> None:
        """Freeze parts of the network, running statistics included.

        Args:
            prefixes: names of modules or parameters, such as ``backbone`` or ``neck.reduce5``;
                each stands for all that is inside.

        Raises:
            InputError: a name is none of the network's; states the nearest.
        """
        modules = dict(self.named_modules())
        parameters = dict(self.named_parameters())
        for prefix in prefixes:
            if (prefix not in modules and prefix not in parameters) or not prefix:
                near = nearest(prefix, [*modules, *parameters], 0.3)
                hint = f"; did you mean {near!r}?" if near else ""
                raise InputError(
                    f"freeze: expected names of parts of the network, got {prefix!r}{hint} "
                    f"(tools/train.py --list-layers lists them all)"
                )
            for name, parameter in parameters.items():
                if f"{name}.".startswith(f"{prefix}."):
                    parameter.requires_grad_(False)
        self.frozen = tuple(p for p in prefixes if p in modules)
        self.train(self.training)

    def train(self, mode: bool = True) -> Detector:
        """Set the mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def forward(self, images: Tensor) -> Predictions:
        """Turn uint8 or float RGB images ``[B, 3, H, W]``, 0 to 255, into predictions."""
        predictions: Predictions = self.head(self.features(images))
        return predictions

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the pyramid features of ``images``, finest first: the input of the head."""
        return list(self.neck(list(self.backbone(self.normalize(images)))))
