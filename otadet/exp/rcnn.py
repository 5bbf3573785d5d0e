"""The base of two-stage experiments: Faster R-CNN on the trainer, data and metrics of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from otadet.assign import Assigner, MaxIoU
from otadet.criteria import Criterion, RCNNCriterion
from otadet.exp.networks import RcnnSettings
from otadet.exp.paper import PaperRecipe
from otadet.models import Backbone, Head, Neck, PooledFPN, RCNNHead, ResNetBackbone


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
