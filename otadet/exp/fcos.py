"""The experiment that users start from: FCOS with OTA on generated shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from otadet import assign
from otadet.assign import Assigner
from otadet.criteria import Criterion, FCOSCriterion
from otadet.errors import InputError
from otadet.exp.conditions import Condition
from otadet.exp.methods import METHODS, require_dynamic_q, with_dynamic_q
from otadet.exp.networks import FcosSettings
from otadet.exp.resnet import ResNetExp
from otadet.exp.settings import Conditions
from otadet.models import (
    FPN,
    Backbone,
    DenseHead,
    Detector,
    FCOSHead,
    Head,
    Neck,
    Quality,
    RetinaHead,
)


def _has_anchors(settings: Any) -> bool:
    """Whether a setting ``anchor_scale`` would be read: by the head, or by the method."""
    method = None if settings.method is None else METHODS[settings.method]
    return settings.head == "retinanet" or (method is not None and method.has_anchors)


class Exp(FcosSettings, ResNetExp):
    """Subclass it in ``exps/``, override what differs, and train it with ``tools/train.py``.

    The defaults are an FCOS with OTA on generated shapes. ``build_*`` methods are pure factories:
    they read settings and make parts; override one to use a part of your own.
    """

    conditions: ClassVar[Conditions] = {
        "anchor_scale": Condition(
            "head", "head=retinanet or a method with anchors", _has_anchors, "build_assigner"
        )
    }

    def validate(self) -> None:
        """Check settings against each other: ``method`` and own parts do not go together."""
        super().validate()
        if self.dynamic_q is not None:
            require_dynamic_q(self.build_assigner(), self.dynamic_q)
        if self.method is None:
            return
        parts = ["build_assigner", "build_criterion"]
        method = METHODS[self.method]
        if method.changes_network or method.quality is not None:
            parts += ["build_model", "build_head"]
        own = [n for n in parts if getattr(type(self), n) is not getattr(Exp, n)]
        if own:
            raise InputError(
                f"setting method: expected none, since {self.name} has a {own[0]} of its own; "
                f"got {self.method!r}"
            )

    def build_model(self, num_classes: int) -> Detector:
        """Make the network with fresh weights. Weights that are to be loaded come later."""
        model = super().build_model(num_classes)
        return model if self.method is None else METHODS[self.method].wrap(model)

    def before_step(self, model: Detector, progress: float) -> None:
        """Prepare the network for a training step, where the method asks for it."""
        if self.method is not None:
            METHODS[self.method].before_step(model, progress)

    def build_neck(self, backbone: Backbone) -> Neck:
        """Make what turns the backbone's features into pyramid features, with fresh weights."""
        return FPN(backbone.channels, self.fpn_channels, self.extra_levels, backbone.strides)

    def build_head(self, in_channels: int, num_classes: int, strides: Sequence[int]) -> Head:
        """Make what turns pyramid features into predictions, with fresh weights."""
        head: type[DenseHead] = FCOSHead
        options: dict[str, Any] = {}
        if self.head == "retinanet":
            head, options = RetinaHead, {"anchor_scale": self.anchor_scale}
        if self.method is not None:
            head = METHODS[self.method].head_class(head)
        return head(
            in_channels,
            num_classes,
            strides,
            width=self.head_width,
            num_convs=self.head_convs,
            quality=self.head_quality,
            tower_bias=self.tower_bias,
            corners=self.corners,
            deform=self.deform_head,
            **options,
        )

    @property
    def head_quality(self) -> Quality:
        """What the quality branch learns: the setting, unless the method asks for another."""
        return (
            self.quality if self.method is None else METHODS[self.method].quality_of(self.quality)
        )

    def build_assigner(self) -> Assigner:
        """Make the rule by which points are assigned to objects."""
        if self.method is None:
            return with_dynamic_q(assign.OTA(), self.dynamic_q)
        return METHODS[self.method].build_assigner(self.anchor_scale, self.dynamic_q)

    def build_criterion(self) -> Criterion:
        """Make the loss around the assigner."""
        if self.method is not None:
            return METHODS[self.method].build(self.quality, self.anchor_scale, self.dynamic_q)
        return FCOSCriterion(self.build_assigner(), quality=self.quality)
