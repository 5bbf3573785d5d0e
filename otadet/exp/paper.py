"""The recipes under which the OTA paper compares assigners on COCO, and what it exchanges."""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from otadet.assign import (
    OTA,
    Assigner,
    CenterBox,
    ClosestPerLevel,
    DynamicK,
    FixedK,
    InsideBox,
    Matcher,
    Prior,
    ResolveAmbiguous,
    Sinkhorn,
    Supply,
)
from otadet.errors import InputError
from otadet.exp.fcos import Exp
from otadet.exp.resnet import ResNetExp
from otadet.exp.settings import Ranges
from otadet.models import Quality


class PaperRecipe(ResNetExp):
    """ResNet-50, 90,000 steps of 16 images at 800 px (Ge et al. 2021, section 4.1).

    Backbone with ImageNet weights, fixed BatchNorm, stem and first stage fixed, no averaged
    weights: the settings of FCOS's and the official OTA code.
    """

    data_dir: str | None = "datasets/COCO"

    backbone: str = "resnet50"
    backbone_weights: str | None = "IMAGENET1K_V1"
    frozen_norm: bool = True
    frozen_stages: int = 2

    resize: Literal["shortest", "letterbox"] = "shortest"
    input_size: tuple[int, int] = (800, 1333)
    test_size: tuple[int, int] = (800, 1333)

    max_iters: int | None = 90_000
    lr: float = 0.01
    milestones: tuple[float, ...] = (60 / 90, 80 / 90)
    warmup_iters: int = 1000
    weight_decay: float = 1e-4
    ema_decay: float = 0.0


class PaperExp(PaperRecipe, Exp):
    """FCOS under the paper's recipe."""


class OtaPaperExp(PaperExp):
    """OTA on either head, with the parts that the paper's ablations exchange (Tables 1 to 4)."""

    ranges: ClassVar[Ranges] = dict.fromkeys(("k", "r"), (1, inf))

    quality: Quality = "iou"
    k: int | None = None
    """Points that every object asks for; none estimates the number (dynamic k)."""
    center: bool = True
    """Center prior; without it any point inside an object's box may serve it."""
    r: int | None = None
    """The r^2 closest points of each level are the center (the text's prior); none takes the
    official code's box of 2.5 strides."""
    ambiguity: Literal["transport", "min_area", "max_iou", "min_loss"] = "transport"
    """Who gets a point that several objects may have: the transport says, or a rule before it."""

    def build_assigner(self) -> Assigner:
        """Make OTA with the parts that the settings name."""
        prior: Prior
        if not self.center and self.r is not None:
            raise InputError(f"r: expected to be left out with center=false, got {self.r}")
        if self.r is not None:
            prior = ClosestPerLevel(self.r)
        else:
            prior = CenterBox(2.5, inside_box=True) if self.center else InsideBox()
        supply: Supply = DynamicK(self.dynamic_q or 20) if self.k is None else FixedK(self.k)
        match: Matcher = (
            Sinkhorn() if self.ambiguity == "transport" else ResolveAmbiguous(self.ambiguity)
        )
        return OTA(prior=prior, supply=supply, match=match)


class Ota2xExp(OtaPaperExp):
    """Twice the steps at a random short side of 640 to 800 px (paper, section 4.3)."""

    max_iters: int | None = 180_000
    milestones: tuple[float, ...] = (120 / 180, 160 / 180)
    scale_range: tuple[float, float] = (0.8, 1.0)
