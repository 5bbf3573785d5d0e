"""The base experiment: how the parts are made from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import nn

from otadet import assign, optim
from otadet.assign import Assigner
from otadet.criteria import Criterion, FCOSCriterion
from otadet.data import Dataset
from otadet.errors import InputError
from otadet.evaluation import Evaluator, build_evaluator
from otadet.exp.data_parts import DataParts
from otadet.exp.methods import METHODS
from otadet.exp.recipe import Phase, Row
from otadet.geometry import padded
from otadet.models import (
    FPN,
    Detector,
    FCOSHead,
    Normalize,
    Quality,
    ResNetBackbone,
    RetinaHead,
    TimmBackbone,
    load_backbone_weights,
    timm_normalize,
)
from otadet.models.timm_backbone import PREFIX as TIMM
from otadet.optim import Schedule
from otadet.postprocess import Postprocess
from otadet.tta import Augmentation, View, parse_scales, scaled_views, with_mirrors


class Exp(DataParts):
    """Subclass it in ``exps/``, override what differs, and train it with ``tools/train.py``.

    The defaults are an FCOS with OTA on generated shapes. ``build_*`` methods are pure factories:
    they read settings and make parts; override one to use a part of your own.
    """

    name: ClassVar[str] = "exp"
    """Name of the file; the run's folder is called so."""
    file: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names under which ``-n`` finds the experiment."""
    rows: ClassVar[tuple[Row, ...]] = (Row(),)
    """The experiment as it stands and its variants, with what was published for each."""

    def __init__(self, **overrides: Any) -> None:
        super().__init__(**overrides)
        parse_scales(self.tta_scales)  # a scale that is none is said at once
        if self.method is None:
            return
        parts = ["build_assigner", "build_criterion"]
        if METHODS[self.method].wants_network:
            parts.append("build_model")
        own = [n for n in parts if getattr(type(self), n) is not getattr(Exp, n)]
        if own:
            raise InputError(
                f"setting method: expected none, since {self.name} has a {own[0]} of its own; "
                f"got {self.method!r}"
            )

    def build_model(self, num_classes: int) -> Detector:
        """The network with fresh weights. Weights that are to be loaded come later."""
        backbone = self.build_backbone()
        neck = FPN(backbone.channels, self.fpn_channels, self.extra_levels)
        head = self.build_head(neck.channels, num_classes, neck.strides)
        depress = self.method is not None and METHODS[self.method].depress
        return Detector(backbone, neck, head, self.build_normalize(), depress)

    def build_backbone(self) -> ResNetBackbone | TimmBackbone:
        """Pictures to features, with fresh weights."""
        if not self.backbone.startswith(TIMM):
            return ResNetBackbone(
                self.backbone, self.frozen_norm, self.frozen_stages, self.deform_stages
            )
        for name in ("frozen_norm", "frozen_stages", "deform_stages"):
            if getattr(self, name):
                raise InputError(
                    f"{name}: expected to be left out, since it is for torchvision's ResNets "
                    f"(freeze=backbone fixes all of {self.backbone}); got {getattr(self, name)!r}"
                )
        return TimmBackbone(self.backbone.removeprefix(TIMM))

    def build_head(self, in_channels: int, num_classes: int, strides: Sequence[int]) -> nn.Module:
        """Features of a pyramid to predictions, with fresh weights."""
        make = partial(RetinaHead, anchor_scale=self.anchor_scale)
        return (make if self.host == "retinanet" else FCOSHead)(
            in_channels,
            num_classes,
            strides,
            width=self.head_width,
            num_convs=self.head_convs,
            quality=self.head_quality,
            tower_bias=self.tower_bias,
            corners=self.corners,
            deform=self.deform_head,
            class_prior=self.method is not None and METHODS[self.method].class_prior,
        )

    @property
    def head_quality(self) -> Quality:
        """What the quality branch learns: the setting, unless the method asks for another."""
        return (
            self.quality if self.method is None else METHODS[self.method].quality_of(self.quality)
        )

    def build_normalize(self) -> nn.Module:
        """Pixels 0 to 255 to what the backbone expects."""
        if self.backbone.startswith(TIMM):
            return timm_normalize(self.backbone.removeprefix(TIMM))
        return Normalize()

    def load_pretrained(self, model: Detector) -> None:
        """Weights for a run that starts afresh; evaluation and demo never come here."""
        if self.backbone_weights is None and self.frozen_norm:
            raise InputError(
                "frozen_norm=true fixes BatchNorm at what pretrained weights say, but "
                "backbone_weights is none; give weights, or set frozen_norm=false frozen_stages=0"
            )
        if self.backbone_weights is not None and isinstance(model.backbone, ResNetBackbone):
            load_backbone_weights(model.backbone, self.backbone, self.backbone_weights)
        elif self.backbone_weights is not None and isinstance(model.backbone, TimmBackbone):
            name = self.backbone.removeprefix(TIMM)
            model.backbone.load_pretrained(name, self.backbone_weights)

    def build_assigner(self) -> Assigner:
        """Which point serves which object."""
        if self.method is None:
            return assign.OTA()
        return METHODS[self.method].build_assigner(self.anchor_scale)

    def build_criterion(self) -> Criterion:
        """The loss around the assigner."""
        if self.method is not None:
            return METHODS[self.method].build(self.quality, self.anchor_scale)
        return FCOSCriterion(self.build_assigner(), quality=self.quality)

    def phases(self) -> tuple[Phase, ...]:
        """What is other in the last epochs; nothing, where a recipe does not say so."""
        return ()

    def notices(self) -> tuple[str, ...]:
        """What the commands say about the settings before they begin, a line each."""
        unused = self.tta != "atss" and bool(self.tta_scales)
        lines: tuple[str, ...] = ()
        if unused:
            lines = (f"tta_scales: without effect on tta={self.tta}",)
        if self.tta != "none" and self.tta_detections < self.max_detections:
            lines += (
                f"tta_detections={self.tta_detections} is less than "
                f"max_detections={self.max_detections}: so many of a picture are kept",
            )
        if self.resize == "shortest":
            return lines
        sizes = {"input_size": self.input_size, "test_size": self.test_size}
        return lines + tuple(
            f"{name}={size[0]},{size[1]} is no multiple of 32: taking {whole[0]},{whole[1]}"
            for name, size in sizes.items()
            if (whole := padded(size, 32)) != size
        )

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Weights decay; norms, biases and scales do not."""
        groups = optim.param_groups(model, self.weight_decay)
        return optim.build_optimizer(groups, self.optimizer, self.lr, self.momentum, self.nesterov)

    def scaled_lr(self, batch_size: int) -> float:
        """Learning rate for ``batch_size`` pictures a step (linear rule, Goyal et al. 2017)."""
        return self.lr * batch_size / self.lr_batch

    def build_schedule(self, total: int, batch_size: int, hold: int = 0) -> Schedule:
        """The learning rate as a function of the step; constant in the last ``hold`` steps."""
        return Schedule(
            base_lr=self.scaled_lr(batch_size),
            total=total,
            warmup=min(self.warmup_iters, total // 10),
            warmup_power=self.warmup_power,
            kind=self.schedule,
            milestones=tuple(round(m * total) for m in self.milestones),
            final_factor=self.final_lr,
            hold=hold,
        )

    def build_postprocess(self) -> Postprocess:
        """Predictions to detections, in evaluation, demo and export alike."""
        return Postprocess(
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            score_rule=self.score_rule,
            nms_kind=self.nms_kind,
            soft_sigma=self.soft_sigma,
            point_labels=self.point_labels,
        )

    def build_augmentation(self) -> Augmentation | None:
        """The passes over a picture at test time; ``None`` for the plain one."""
        if self.tta == "none":
            return None
        views: tuple[View, ...] = (View(self.build_val_transform()),)
        if self.tta == "atss":
            views = scaled_views(self.tta_scales, self.resize, self.test_size)
        if self.tta_flip or self.tta == "flip":
            views = with_mirrors(views)
        return Augmentation(views, self.tta_vote, self.score_threshold, self.tta_detections)

    def build_evaluator(self, dataset: Dataset) -> Evaluator:
        """The metrics over the data set's ground truth."""
        gts = [dataset.truth(i) for i in range(len(dataset))]
        return build_evaluator(gts, dataset.class_names, self.metrics, self.max_detections)
