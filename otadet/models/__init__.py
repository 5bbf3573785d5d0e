"""Networks: backbone, neck and head make a :class:`Detector`. They know nothing of assignment."""

from otadet.models.backbone import BACKBONES, ResNetBackbone, load_backbone_weights
from otadet.models.darknet import CSPDarknet, Darknet53
from otadet.models.detector import Detector, Normalize
from otadet.models.fcos_head import FCOSHead
from otadet.models.fpn import FPN
from otadet.models.fuse import fuse
from otadet.models.layers import layer_table
from otadet.models.pafpn import PAFPN, TopDownFPN
from otadet.models.profile import ModelProfile, profile_model
from otadet.models.published import MIRROR, PUBLISHED, Published
from otadet.models.state import load_state, read_file
from otadet.models.torchvision_fcos import (
    coco_rows,
    convert_torchvision_fcos,
    is_torchvision_fcos,
)
from otadet.models.unfold import unfold_norms
from otadet.models.yolox_head import CoupledHead, YOLOXHead
from otadet.models.yolox_weights import convert_yolox, is_folded, is_yolox

__all__ = [
    "BACKBONES",
    "FPN",
    "MIRROR",
    "PAFPN",
    "PUBLISHED",
    "CSPDarknet",
    "CoupledHead",
    "Darknet53",
    "Detector",
    "FCOSHead",
    "ModelProfile",
    "Normalize",
    "Published",
    "ResNetBackbone",
    "TopDownFPN",
    "YOLOXHead",
    "coco_rows",
    "convert_torchvision_fcos",
    "convert_yolox",
    "fuse",
    "is_folded",
    "is_torchvision_fcos",
    "is_yolox",
    "layer_table",
    "load_backbone_weights",
    "load_state",
    "profile_model",
    "read_file",
    "unfold_norms",
]
