"""Networks: backbone, neck and head make a :class:`Detector`. They know nothing of assignment."""

from otadet.models.backbone import BACKBONES, ResNetBackbone, load_backbone_weights
from otadet.models.darknet import CSPDarknet, Darknet53
from otadet.models.detector import Detector, Normalize
from otadet.models.fcos_head import FCOSHead
from otadet.models.fpn import FPN
from otadet.models.pafpn import PAFPN, TopDownFPN
from otadet.models.profile import ModelProfile, profile_model
from otadet.models.state import load_state, read_file
from otadet.models.yolox_head import CoupledHead, YOLOXHead
from otadet.models.yolox_weights import convert_yolox, is_folded, read_yolox

__all__ = [
    "BACKBONES",
    "FPN",
    "PAFPN",
    "CSPDarknet",
    "CoupledHead",
    "Darknet53",
    "Detector",
    "FCOSHead",
    "ModelProfile",
    "Normalize",
    "ResNetBackbone",
    "TopDownFPN",
    "YOLOXHead",
    "convert_yolox",
    "is_folded",
    "load_backbone_weights",
    "load_state",
    "profile_model",
    "read_file",
    "read_yolox",
]
