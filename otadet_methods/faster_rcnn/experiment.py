"""Base of Faster R-CNN's experiments: network, loss and recipe."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar, Literal

from otadet.assign import Assigner, MaxIoU
from otadet.criteria import Criterion
from otadet.exp.paper import PaperRecipe
from otadet.exp.settings import Ranges, Settings
from otadet.models import Backbone, Head, Neck, ResNetBackbone
from otadet_methods.faster_rcnn.criterion import RCNNCriterion
from otadet_methods.faster_rcnn.network import PooledFPN, RCNNHead


class RcnnSettings(Settings):
    """Faster R-CNN's second stage."""

    group = "second stage"
    owner = "Faster R-CNN experiments"
    ranges: ClassVar[Ranges] = dict.fromkeys(("proposals", "roi_width"), (1, inf))

    proposals: int = 1000
    """Proposals of an image for the second stage, and of each level that go into their NMS."""
    roi_width: int = 1024
    """Channels of the second stage's two hidden layers."""


class RcnnExp(RcnnSettings, PaperRecipe):
    """Faster R-CNN with FPN (Ren et al. 2015, Lin et al. 2017) under the paper's recipe.

    ``anchor_scale`` is that of the RPN's square anchors, 32 to 512 pixels at 8. What a run draws
    are the RPN's anchors, by their centres.
    """

    lr: float = 0.02
    nms_threshold: float = 0.5
    score_rule: Literal["geometric", "product"] = "product"

    def build_backbone(self) -> Backbone:
        """Make what turns images into features, with fresh weights."""
        return ResNetBackbone(
            self.backbone, self.frozen_norm, self.frozen_stages, self.deform_stages, finest=4
        )

    def build_neck(self, backbone: Backbone) -> Neck:
        """Make what turns the backbone's features into pyramid features, with fresh weights."""
        return PooledFPN(backbone.channels, self.fpn_channels, backbone.strides)

    def build_head(self, in_channels: int, num_classes: int, strides: Sequence[int]) -> Head:
        """Make what turns pyramid features into predictions, with fresh weights."""
        return RCNNHead(
            in_channels, num_classes, strides, self.roi_width, self.proposals, self.anchor_scale
        )

    def build_assigner(self) -> Assigner:
        """Make the rule by which anchors are assigned to objects."""
        return MaxIoU(positive=0.7, negative=0.3)

    def build_criterion(self) -> Criterion:
        """Make the loss of both stages."""
        return RCNNCriterion(self.build_assigner())
