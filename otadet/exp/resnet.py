"""Experiments with a ResNet, or a network of timm, as their backbone."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from otadet.errors import InputError
from otadet.exp.networks import ResNetSettings
from otadet.exp.single_image import SingleImageExp
from otadet.models import (
    Backbone,
    Detector,
    Normalize,
    ResNetBackbone,
    TimmBackbone,
    load_backbone_weights,
    timm_normalize,
)
from otadet.models.timm_backbone import PREFIX as TIMM


class ResNetExp(ResNetSettings, SingleImageExp):
    """Base of experiments whose backbone may start from classification weights."""

    def build_backbone(self) -> Backbone:
        """Make what turns images into features, with fresh weights."""
        if not self.backbone.startswith(TIMM):
            return ResNetBackbone(
                self.backbone, self.frozen_norm, self.frozen_stages, self.deform_stages
            )
        for name in ("frozen_norm", "frozen_stages", "deform_stages"):
            if getattr(self, name):
                raise InputError(
                    f"{name}: expected to be left out, since it is for torchvision's ResNets "
                    f"(freeze=backbone fixes all of {self.backbone}); got {getattr(self, name)!r}"
                )
        return TimmBackbone(self.backbone.removeprefix(TIMM))

    def build_normalize(self) -> nn.Module:
        """Make what turns pixels, 0 to 255, into what the backbone expects."""
        if self.backbone.startswith(TIMM):
            return timm_normalize(self.backbone.removeprefix(TIMM))
        return Normalize()

    def load_pretrained(self, model: Detector) -> None:
        """Load weights for a run that starts afresh; evaluation and demo never call this."""
        self._check_own_backbone(model)
        if self.backbone_weights is None:
            if self.frozen_norm:
                raise InputError(
                    "frozen_norm=true fixes BatchNorm at what pretrained weights say, but "
                    "backbone_weights is none; give weights, or set frozen_norm=false "
                    "frozen_stages=0"
                )
        elif isinstance(model.backbone, TimmBackbone):
            name = self.backbone.removeprefix(TIMM)
            model.backbone.load_pretrained(name, self.backbone_weights)
        elif isinstance(model.backbone, ResNetBackbone):
            load_backbone_weights(model.backbone, self.backbone, self.backbone_weights)

    def check_start(self, model: Detector, loaded: Collection[str], source: str) -> None:
        """Check that a frozen BatchNorm has statistics to be frozen at."""
        self._check_own_backbone(model, weights=False)
        if self.frozen_norm and not any(name.startswith("backbone.") for name in loaded):
            raise InputError(
                f"frozen_norm=true fixes BatchNorm at what the weights say, but nothing of the "
                f"backbone is in {source}; set frozen_norm=false frozen_stages=0"
            )

    def _check_own_backbone(self, model: Detector, weights: bool = True) -> None:
        """Refuse settings of a ResNet where a user's ``build_backbone`` makes another network."""
        if isinstance(model.backbone, (ResNetBackbone, TimmBackbone)):
            return
        for name in ("frozen_norm", "frozen_stages", *(["backbone_weights"] if weights else [])):
            if getattr(self, name):
                raise InputError(
                    f"{name}: is for torchvision's ResNets, and the backbone of {self.name} is "
                    f"a {type(model.backbone).__name__}; expected it to be left out (freeze= names "
                    f"parts that do not learn), got {getattr(self, name)!r}"
                )
