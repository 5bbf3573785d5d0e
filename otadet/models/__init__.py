"""Networks: backbone, neck and head make a :class:`Detector`. They know nothing of assignment."""

from otadet.models.backbone import BACKBONES, ResNetBackbone, load_backbone_weights
from otadet.models.detector import Detector, Normalize
from otadet.models.fcos_head import FCOSHead
from otadet.models.fpn import FPN
from otadet.models.profile import ModelProfile, profile_model

__all__ = [
    "BACKBONES",
    "FPN",
    "Detector",
    "FCOSHead",
    "ModelProfile",
    "Normalize",
    "ResNetBackbone",
    "load_backbone_weights",
    "profile_model",
]
