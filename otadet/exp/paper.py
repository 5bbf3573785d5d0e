"""The 1x recipe under which the OTA paper compares assigners on COCO."""

from __future__ import annotations

from typing import Literal

from otadet.exp.base import Exp


class PaperExp(Exp):
    """FCOS-R50, 90,000 steps of 16 pictures at 800 px (Ge et al. 2021, section 4.1).

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
