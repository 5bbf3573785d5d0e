"""The base of YOLOX's experiments: network, loss and recipe; each size is two numbers."""

from __future__ import annotations

from typing import Literal

from torch import nn

from otadet.assign import Assigner, SimOTA
from otadet.criteria import Criterion, YOLOXCriterion
from otadet.errors import InputError
from otadet.exp.base import Exp
from otadet.models import (
    PAFPN,
    CoupledHead,
    CSPDarknet,
    Darknet53,
    Detector,
    Normalize,
    TopDownFPN,
    YOLOXHead,
)


class YoloxExp(Exp):
    """YOLOX (Ge et al. 2021) with SimOTA on COCO at 640 px, without mosaic yet.

    ``depth`` and ``width`` make the sizes. Of the base's settings for a network, those of ResNet,
    FPN and FCOS have no meaning here.
    """

    data_dir: str | None = "datasets/COCO"

    depth: float = 1.0
    """Multiple of the number of blocks."""
    width: float = 1.0
    """Multiple of the number of channels."""
    depthwise: bool = False
    """Separable convolutions."""
    head: Literal["decoupled", "coupled"] = "decoupled"
    backbone: str = "cspdarknet"
    """cspdarknet with PAFPN, or darknet53 with YOLOv3's pyramid (one size)."""
    head_width: int = 256
    """Times width: channels inside the towers."""
    head_convs: int = 2
    l1: bool = False
    """Also the L1 distance of the raw regression; YOLOX: in the last 15 epochs."""

    input_size: tuple[int, int] = (640, 640)
    test_size: tuple[int, int] = (640, 640)
    crop: float = 0.5
    color_jitter: bool = True

    batch_size: int = 64
    max_epochs: int = 300
    lr: float = 0.01
    lr_batch: int = 64
    weight_decay: float = 5e-4
    schedule: Literal["multistep", "cosine"] = "cosine"
    warmup_iters: int = 9240
    """Five epochs of COCO's 118,287 pictures, 64 a step."""
    eval_interval: int = 10

    score_threshold: float = 0.01
    nms_threshold: float = 0.65
    score_rule: Literal["geometric", "product"] = "product"

    def build_model(self, num_classes: int) -> Detector:
        """The network with fresh weights. Weights that are to be loaded come later."""
        backbone: CSPDarknet | Darknet53
        neck: PAFPN | TopDownFPN
        if self.backbone == "cspdarknet":
            backbone = CSPDarknet(self.depth, self.width, self.depthwise)
            neck = PAFPN(backbone.channels, self.depth, self.depthwise)
        elif self.backbone == "darknet53":
            backbone, neck = Darknet53(), TopDownFPN()
        else:
            raise InputError(f"backbone: expected cspdarknet or darknet53; got {self.backbone!r}")
        head: nn.Module
        if self.head == "coupled":
            head = CoupledHead(neck.channels, num_classes, neck.strides)
        else:
            head = YOLOXHead(
                neck.channels,
                num_classes,
                neck.strides,
                width=int(self.head_width * self.width),
                num_convs=self.head_convs,
                depthwise=self.depthwise,
            )
        return Detector(backbone, neck, head, self.build_normalize())

    def build_normalize(self) -> nn.Module:
        """Pixels stay 0 to 255, as the published weights expect them."""
        return Normalize(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def load_pretrained(self, model: Detector) -> None:
        """A run starts from nothing: there are no classification weights for these backbones."""
        for name in ("backbone_weights", "frozen_norm", "frozen_stages"):
            if getattr(self, name):
                raise InputError(
                    f"{name}: expected to be left out, since it is for ResNet backbones; "
                    f"{self.backbone} starts from nothing; got {getattr(self, name)!r}"
                )

    def build_assigner(self) -> Assigner:
        """Which point serves which object."""
        return SimOTA()

    def build_criterion(self) -> Criterion:
        """The loss around the assigner."""
        return YOLOXCriterion(self.build_assigner(), l1=self.l1)
