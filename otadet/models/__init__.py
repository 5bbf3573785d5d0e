"""Networks: backbone, neck and head make a :class:`Detector`. They know nothing of assignment."""

from otadet.models.backbone import BACKBONES, ResNetBackbone, load_backbone_weights
from otadet.models.convert_weights import (
    coco_rows,
    convert_torchvision_fcos,
    convert_yolox,
    is_torchvision_fcos,
    is_yolox,
)
from otadet.models.darknet import CSPDarknet, Darknet53
from otadet.models.deform_conv import ModulatedDeformConv2d, is_deformable
from otadet.models.dense_head import DenseHead, FCOSHead, Quality, RetinaHead
from otadet.models.detector import Detector, Normalize
from otadet.models.fpn import FPN
from otadet.models.fuse import fuse
from otadet.models.layer_table import layer_table
from otadet.models.pafpn import PAFPN, TopDownFPN
from otadet.models.pretrained import MIRROR, PUBLISHED, YOLOX, Download, Packaged, Published
from otadet.models.profile import ModelProfile, count_flops, profile_model
from otadet.models.protocols import Backbone, Head, Neck
from otadet.models.state_dict import check_state, load_state
from otadet.models.timm_backbone import TimmBackbone, timm_normalize
from otadet.models.torch_file import read_file
from otadet.models.unfold_norms import is_folded, unfold_norms
from otadet.models.weight_check import clean, tensor, weights
from otadet.models.yolox_head import CoupledHead, YOLOXHead

__all__ = [
    "BACKBONES",
    "FPN",
    "MIRROR",
    "PAFPN",
    "PUBLISHED",
    "YOLOX",
    "Backbone",
    "CSPDarknet",
    "CoupledHead",
    "Darknet53",
    "DenseHead",
    "Detector",
    "Download",
    "FCOSHead",
    "Head",
    "ModelProfile",
    "ModulatedDeformConv2d",
    "Neck",
    "Normalize",
    "Packaged",
    "Published",
    "Quality",
    "ResNetBackbone",
    "RetinaHead",
    "TimmBackbone",
    "TopDownFPN",
    "YOLOXHead",
    "check_state",
    "clean",
    "coco_rows",
    "convert_torchvision_fcos",
    "convert_yolox",
    "count_flops",
    "fuse",
    "is_deformable",
    "is_folded",
    "is_torchvision_fcos",
    "is_yolox",
    "layer_table",
    "load_backbone_weights",
    "load_state",
    "profile_model",
    "read_file",
    "tensor",
    "timm_normalize",
    "unfold_norms",
    "weights",
]
