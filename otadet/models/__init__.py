"""Networks: backbone, neck and head make a :class:`Detector`. They know nothing of assignment."""

from otadet.models.backbone import BACKBONES, ResNetBackbone, load_backbone_weights
from otadet.models.detector import Detector, Normalize
from otadet.models.fcos_head import FCOSHead
from otadet.models.fpn import FPN
from otadet.models.profile import ModelProfile, profile_model
from otadet.models.state import load_state, read_file

__all__ = [
    "BACKBONES",
    "FPN",
    "Detector",
    "FCOSHead",
    "ModelProfile",
    "Normalize",
    "ResNetBackbone",
    "load_backbone_weights",
    "load_state",
    "profile_model",
    "read_file",
]
