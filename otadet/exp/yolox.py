"""The base of YOLOX's experiments: network, loss and recipe; each size is two numbers."""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from torch import nn

from otadet.assign import Assigner, SimOTA
from otadet.criteria import Criterion, YOLOXCriterion
from otadet.data import Draw, HSVShift, Mosaic
from otadet.errors import InputError
from otadet.exp.base import Exp
from otadet.exp.recipe import Phase
from otadet.geometry import Size
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
    """YOLOX (Ge et al. 2021) with SimOTA on COCO at 640 px, with its recipe.

    SGD with Nesterov momentum, five epochs of warm-up, a cosine; mosaic and mixup on all but the
    last 15 epochs, which also learn the L1 distance; another input size every ten steps.
    ``depth`` and ``width`` make the sizes of the network. Of the base's settings for a network,
    those of ResNet, FPN and FCOS have no meaning here.
    """

    data_dir: str | None = "datasets/COCO"

    depth: float = 1.0
    """Multiple of the number of blocks."""
    width: float = 1.0
    """Multiple of the number of channels."""
    depthwise: bool = False
    """Separable convolutions."""
    head: Literal["decoupled", "coupled"] = "decoupled"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        **Exp.ranges,
        **dict.fromkeys(("mosaic", "mixup", "copy_paste", "translate"), (0, 1)),
        "degrees": (0, 90),
        "shear": (0, 44.9),
        **dict.fromkeys(("mosaic_scale", "mixup_scale"), (0.05, 20)),
        **dict.fromkeys(("depth", "width"), (0.01, 10)),
        "last_epochs": (0, inf),
    }
    spans: ClassVar[tuple[str, ...]] = (*Exp.spans, "mosaic_scale", "mixup_scale")

    backbone: str = "cspdarknet"
    """cspdarknet with PAFPN, or darknet53 with YOLOv3's pyramid (one size)."""
    head_width: int = 256
    """Times width: channels inside the towers."""
    head_convs: int = 2
    l1: bool = False
    """Also the L1 distance of the raw regression; on in the last phase, see last_epochs."""

    input_size: tuple[int, int] = (640, 640)
    test_size: tuple[int, int] = (640, 640)
    multiscale: tuple[int, int] | None = (480, 800)
    color_jitter: bool = True
    mosaic: float = 1.0
    """Probability that a sample is made of four pictures."""
    mosaic_scale: tuple[float, float] = (0.1, 2.0)
    """Random factor on a mosaic."""
    degrees: float = 10.0
    """Largest rotation of a mosaic, either way."""
    translate: float = 0.1
    """Largest shift of a mosaic, as a share of its size."""
    shear: float = 2.0
    """Largest shear of a mosaic, degrees."""
    mixup: float = 1.0
    """Probability that another picture shines through a mosaic."""
    mixup_scale: tuple[float, float] = (0.5, 1.5)
    """Random factor on that other picture."""
    copy_paste: float = 0.0
    """Probability that objects of other pictures are pasted in; for crowds."""
    last_epochs: int = 15
    """Epochs at the end without mosaic and mixup and with L1, at a constant rate; at most a third
    of the run."""

    batch_size: int = 64
    max_epochs: int = 300
    lr: float = 0.01
    lr_batch: int = 64
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: Literal["multistep", "cosine"] = "cosine"
    warmup_iters: int = 9240
    """Five epochs of COCO's 118,287 pictures, 64 a step."""
    warmup_power: float = 2.0
    final_lr: float = 0.05
    eval_interval: int = 10

    cpu_layout: Literal["channels_last", "contiguous"] = "channels_last"
    score_threshold: float = 0.01
    nms_threshold: float = 0.65
    score_rule: Literal["geometric", "product"] = "product"
    point_labels: Literal["all", "best"] = "best"

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

    def phases(self) -> tuple[Phase, ...]:
        """The last epochs see whole pictures and learn raw distances too (YOLOX, section 2.1)."""
        return (Phase(self.last_epochs, {"mosaic": 0.0, "l1": True, "eval_interval": 1}),)

    def build_train_draw(self, size: Size) -> Draw:
        """Mosaic, mixup and what belongs to them, for an input of ``size``."""
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
            copy_paste=self.copy_paste,
        )

    def build_assigner(self) -> Assigner:
        """Which point serves which object."""
        return SimOTA()

    def build_criterion(self) -> Criterion:
        """The loss around the assigner."""
        return YOLOXCriterion(self.build_assigner(), l1=self.l1)
