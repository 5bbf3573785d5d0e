"""Bases of YOLOX's experiments: network, loss and recipe; each size is two numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from otadet.assign import Assigner, SimOTA
from otadet.criteria import Criterion, YOLOXCriterion
from otadet.data import HSVShift, Mosaic, RandomTurn, SampleBuilder
from otadet.errors import InputError
from otadet.exp.base import BaseExp
from otadet.exp.methods import require_dynamic_q, with_dynamic_q
from otadet.exp.networks import MosaicSettings, YoloxSettings
from otadet.exp.recipe import Phase
from otadet.geometry import Size
from otadet.models import (
    PAFPN,
    Backbone,
    CoupledHead,
    CSPDarknet,
    Darknet53,
    Head,
    Neck,
    Normalize,
    TopDownFPN,
    YOLOXHead,
)


class YoloxExp(MosaicSettings, YoloxSettings, BaseExp):
    """YOLOX (Ge et al. 2021) with SimOTA on COCO at 640 px, with its recipe.

    SGD with Nesterov momentum, five epochs of warm-up, a cosine; mosaic and mixup on all but the
    last 15 epochs, which also learn the L1 distance; another input size every ten steps.
    ``depth`` and ``width`` make the sizes of the network, which starts from scratch: there are no
    classification weights for these backbones.
    """

    data_dir: str | None = "datasets/COCO"

    input_size: tuple[int, int] = (640, 640)
    test_size: tuple[int, int] = (640, 640)
    multiscale: tuple[int, int] | None = (480, 800)
    color_jitter: bool = True

    batch_size: int = 64
    max_epochs: int = 300
    lr: float = 0.01
    lr_batch: int = 64
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: Literal["multistep", "cosine"] = "cosine"
    warmup_iters: int = 9240
    """Steps of the warm-up, at most a tenth of the run. 9240: five epochs of COCO at 64 a step."""
    warmup_power: float = 2.0
    final_lr: float = 0.05
    eval_interval: int = 10

    cpu_layout: Literal["channels_last", "contiguous"] = "channels_last"
    score_threshold: float = 0.01
    nms_threshold: float = 0.65
    score_rule: Literal["geometric", "product"] = "product"
    point_labels: Literal["all", "best"] = "best"

    def build_backbone(self) -> Backbone:
        """Make what turns images into features, with fresh weights."""
        if self.backbone == "cspdarknet":
            return CSPDarknet(self.depth, self.width, self.depthwise)
        if self.backbone == "darknet53":
            return Darknet53()
        raise InputError(f"backbone: expected cspdarknet or darknet53; got {self.backbone!r}")

    def build_neck(self, backbone: Backbone) -> Neck:
        """Make what turns the backbone's features into pyramid features, with fresh weights."""
        if self.backbone == "darknet53":
            return TopDownFPN()
        return PAFPN(backbone.channels, self.depth, self.depthwise, backbone.strides)

    def build_head(
        self, in_channels: Sequence[int], num_classes: int, strides: Sequence[int]
    ) -> Head:
        """Make what turns pyramid features into predictions, with fresh weights."""
        if self.head == "coupled":
            return CoupledHead(in_channels, num_classes, strides)
        return YOLOXHead(
            in_channels,
            num_classes,
            strides,
            width=int(self.head_width * self.width),
            num_convs=self.head_convs,
            depthwise=self.depthwise,
        )

    def build_normalize(self) -> nn.Module:
        """Leave pixels 0 to 255, as the published weights expect them."""
        return Normalize(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def phases(self) -> tuple[Phase, ...]:
        """Return what changes last: single images, and raw distances too (YOLOX, section 2.1)."""
        often = {} if self.minutes is not None else {"eval_interval": 1}
        return (Phase(self.last_epochs, {"mosaic": 0.0, "l1": True, **often}),)

    def build_sample_builder(self, size: Size) -> SampleBuilder:
        """Make mosaic, mixup and what belongs to them, for an input of ``size``."""
        return Mosaic(
            size,
            p=self.mosaic,
            mixup=self.mixup,
            degrees=self.degrees,
            translate=self.translate,
            scale=self.mosaic_scale,
            shear=self.shear,
            mixup_scale=self.mixup_scale,
            color=HSVShift() if self.color_jitter else None,
            flip=self.flip,
            turn=RandomTurn(self.flip_vertical, self.quarter_turns),
            copy_paste=self.copy_paste,
        )

    def validate(self) -> None:
        """Check settings against each other."""
        super().validate()
        require_dynamic_q(self.build_assigner(), self.dynamic_q)

    def build_assigner(self) -> Assigner:
        """Make the rule by which points are assigned to objects."""
        return with_dynamic_q(SimOTA(), self.dynamic_q)

    def build_criterion(self) -> Criterion:
        """Make the loss around the assigner."""
        return YOLOXCriterion(self.build_assigner(), l1=self.l1, objectness=self.objectness)


class YoloxNanoExp(YoloxExp):
    """YOLOX-Nano: separable convolutions, 416 px, fewer mosaics and no mixup."""

    depth: float = 0.33
    width: float = 0.25
    depthwise: bool = True

    input_size: tuple[int, int] = (416, 416)
    test_size: tuple[int, int] = (416, 416)
    multiscale: tuple[int, int] | None = (320, 640)
    mosaic: float = 0.5
    mosaic_scale: tuple[float, float] = (0.5, 1.5)
    mixup: float = 0.0
