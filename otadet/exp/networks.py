"""Settings of networks and of their augmentation, by component.

An experiment has those of the components that it is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import ClassVar, Literal

from otadet.exp.conditions import Condition, unless, when
from otadet.exp.methods import METHODS, MethodName
from otadet.exp.settings import Conditions, Ranges, Settings
from otadet.models import Quality


class SingleImageSettings(Settings):
    """Augmentation of one image by itself."""

    group = "augmentation"
    owner = "FCOS and Faster R-CNN experiments"
    ranges: ClassVar[Ranges] = {"crop": (0, 1), "scale_range": (0.05, 20)}
    spans: ClassVar[tuple[str, ...]] = ("scale_range",)
    conditions: ClassVar[Conditions] = {
        "scale_range": when("resize", "shortest", reader="build_train_transform"),
        "aspect_grouping": when("resize", "shortest", reader="group_by_aspect"),
    }
    in_phases: ClassVar[tuple[str, ...]] = ("crop", "scale_range")

    crop: float = 0.0
    """Probability of a random crop in training."""
    scale_range: tuple[float, float] = (1.0, 1.0)
    """Random factor on the shorter side in training (shortest only)."""
    aspect_grouping: bool = True
    """Do not mix upright and lying images in a batch (shortest only)."""


class ResNetSettings(Settings):
    """A ResNet with FPN."""

    group = "backbone and FPN"
    owner = "FCOS and Faster R-CNN experiments"
    ranges: ClassVar[Ranges] = {
        "fpn_channels": (1, 4096),
        "deform_stages": (0, 4),
        "anchor_scale": (0.1, 100),
    }

    backbone: str = "resnet18"
    """One of torchvision's ResNets and ResNeXts, or timm/NAME where timm is installed."""
    backbone_weights: str | None = None
    """A torchvision weights name, a file, or none; for timm/NAME a file or pretrained."""
    frozen_norm: bool = False
    """Fixed BatchNorm in the backbone; for pretrained weights and few images a device."""
    frozen_stages: int = 0
    """Parts of the backbone that do not learn: 1 stem, 2 and the first stage, ... 5 all."""
    deform_stages: int = 0
    """In how many of a ResNet's last stages the 3x3 convolutions are deformable (DCNv2)."""
    fpn_channels: int = 256
    """Channels of the pyramid."""
    anchor_scale: float = 8.0
    """Side of anchors in strides: of head=retinanet, of those that ATSS, PAA and the like compare,
    of Faster R-CNN's proposals."""


class FcosSettings(Settings):
    """FCOS's head, or RetinaNet's with one anchor, and the method of assignment."""

    group = "head and assignment"
    owner = "FCOS experiments"
    ranges: ClassVar[Ranges] = {
        "head_width": (1, 4096),
        "head_convs": (0, 100),
        "dynamic_q": (1, inf),
    }
    conditions: ClassVar[Conditions] = {
        "quality": Condition(
            "method", "a method that leaves the quality branch open, or none",
            lambda s: s.method is None or METHODS[s.method].quality is None,
        ),
    }  # fmt: skip
    renamed: ClassVar[Mapping[str, str]] = {"host": "head"}

    extra_levels: bool = True
    """P6 and P7 besides P3 to P5."""
    head: Literal["fcos", "retinanet"] = "fcos"
    """What a point regresses from: itself, or one square anchor around it."""
    head_width: int = 256
    """Channels inside the towers, a multiple of 8."""
    head_convs: int = 4
    """Convolutions of each tower."""
    tower_bias: bool = False
    """A bias in the towers' convolutions, as torchvision's FCOS has it."""
    corners: bool = False
    """Points in the upper left corner of their cells, as torchvision has them."""
    deform_head: bool = False
    """The last convolution of each tower is deformable."""
    quality: Quality = "iou"
    """What the quality branch learns; none leaves the branch out."""
    method: MethodName | None = None
    """A method of label assignment with its loss, in place of the experiment's own assigner."""
    dynamic_q: int | None = None
    """How many of the largest IoUs an object's k sums; none: ota 20, simota 10."""


class YoloxSettings(Settings):
    """YOLOX's network."""

    group = "network"
    owner = "YOLOX experiments"
    ranges: ClassVar[Ranges] = {
        **dict.fromkeys(("depth", "width"), (0.01, 10)), "head_width": (1, 4096),
        "head_convs": (0, 100), "last_epochs": (0, inf), "dynamic_q": (1, inf),
    }  # fmt: skip
    conditions: ClassVar[Conditions] = {
        "depth": when("backbone", "cspdarknet", reader="build_backbone"),
        "head_width": when("head", "decoupled", reader="build_head"),
        "head_convs": when("head", "decoupled", reader="build_head"),
    }
    in_phases: ClassVar[tuple[str, ...]] = ("l1",)

    backbone: str = "cspdarknet"
    """cspdarknet with PAFPN, or darknet53 with YOLOv3's pyramid (one size)."""
    depth: float = 1.0
    """Multiple of the number of blocks."""
    width: float = 1.0
    """Multiple of the number of channels."""
    depthwise: bool = False
    """Separable convolutions."""
    head: Literal["decoupled", "coupled"] = "decoupled"
    """Two towers a level, or one 1x1 convolution."""
    head_width: int = 256
    """Channels inside the towers, times width."""
    head_convs: int = 2
    """Convolutions of each tower."""
    dynamic_q: int | None = None
    """How many of the largest IoUs an object's k sums; none: simota 10, ota 20."""
    objectness: Literal["one", "iou"] = "one"
    """What a positive's objectness learns: 1 as published, or the IoU of its box."""
    l1: bool = False
    """Also the L1 distance of the raw regression; on in the last phase, see last_epochs."""
    last_epochs: int = 15
    """Epochs at the end without mosaic and mixup and with L1, at a constant rate; at most a third
    of the run."""


class MosaicSettings(Settings):
    """Augmentation that makes a sample of several images."""

    group = "mosaic and mixup"
    owner = "YOLOX experiments"
    ranges: ClassVar[Ranges] = {
        **dict.fromkeys(("mosaic", "mixup", "copy_paste", "translate"), (0, 1)),
        "degrees": (0, 90),
        "shear": (0, 44.9),
        **dict.fromkeys(("mosaic_scale", "mixup_scale"), (0.05, 20)),
    }
    spans: ClassVar[tuple[str, ...]] = ("mosaic_scale", "mixup_scale")
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(
            ("mosaic_scale", "degrees", "translate", "shear", "mixup", "copy_paste"),
            unless("mosaic", 0.0, reader="build_sample_builder"),
        ),
        "mixup_scale": unless("mixup", 0.0, reader="build_sample_builder"),
    }
    in_phases: ClassVar[tuple[str, ...]] = (
        "mosaic", "mosaic_scale", "degrees", "translate", "shear", "mixup", "mixup_scale",
        "copy_paste",
    )  # fmt: skip

    mosaic: float = 1.0
    """Probability that a sample is made of four images."""
    mosaic_scale: tuple[float, float] = (0.1, 2.0)
    """Random factor on a mosaic."""
    degrees: float = 10.0
    """Largest rotation of a mosaic, either way."""
    translate: float = 0.1
    """Largest shift of a mosaic, as a share of its size."""
    shear: float = 2.0
    """Largest shear of a mosaic, degrees."""
    mixup: float = 1.0
    """Probability that another image is mixed into a mosaic."""
    mixup_scale: tuple[float, float] = (0.5, 1.5)
    """Random factor on that other image."""
    copy_paste: float = 0.0
    """Probability that objects of other images are pasted into a mosaic; for crowds."""
