"""Faster R-CNN's pyramid and head: region proposals, a class and a better box for each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from otadet.types import Points, Predictions
from otadet_methods.faster_rcnn.proposals import anchor_points, propose

RPN_CODER = BoxCoder((1.0, 1.0, 1.0, 1.0))
"""Deltas of anchors, in units of the anchor's sides (Girshick et al. 2014)."""
ROI_CODER = BoxCoder((10.0, 10.0, 5.0, 5.0))
"""Deltas of proposals, brought to about unit variance."""

_SURE = -1e-6
"""Largest logarithm of a probability, so that its logit stays finite."""
_NEVER = -20.0
"""Logit of what is no proposal."""
_POOLED = 7
_RATIOS = (0.5, 1.0, 2.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoStagePredictions(Predictions):
    """Predictions of a two-stage detector for its proposals, with the RPN's beside them.

    ``A`` is the number of proposals, the same for every image. ``cls_logits`` are such that their
    sigmoid is the softmax probability. ``points`` are places without meaning, since every image
    has proposals of its own.

    Attributes:
        rpn: of the region proposal network: one class, anchors in ``points.anchors``.
        proposals: ``[B, A, 4]`` xyxy, input frame, without gradient.
        valid: ``[B, A]`` bool; false where an image has fewer proposals than ``A``.
        roi_logits: ``[B, A, C + 1]`` before the softmax, background first.
    """

    rpn: Predictions
    proposals: Tensor
    valid: Tensor
    roi_logits: Tensor

    @property
    def dense(self) -> Predictions:
        """The RPN's predictions."""
        return self.rpn

    @property
    def second_stage(self) -> Predictions:
        """Proposals as predictions: what an assigner of proposals is asked about."""
        return Predictions(
            self.proposals, self.cls_logits, self.quality_logits, self.deltas, self.points
        )


class PooledFPN(nn.Module):
    """Faster R-CNN's pyramid: P2 to P5 (Lin et al. 2017), P6 every second cell of P5.

    Args:
        in_channels: channels of the backbone's outputs, finest first.
        channels: channels of every output.
        strides: of the backbone's outputs, input pixels, finest first.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: int, strides: Sequence[int] = (4, 8, 16, 32)
    ) -> None:
        super().__init__()
        self.strides = (*strides, 2 * strides[-1])
        self.pyramid = FeaturePyramidNetwork(
            list(in_channels), channels, extra_blocks=LastLevelMaxPool()
        )
        self.channels = channels

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Turn backbone features into pyramid features, both finest first."""
        named = OrderedDict((str(i), f) for i, f in enumerate(features))
        return list(self.pyramid(named).values())


class RCNNHead(nn.Module):
    """Faster R-CNN's head: torchvision's RPN head, RoIAlign and two-layer box head.

    The same in training and evaluation: every image has ``proposals`` of them, and the criterion
    chooses what to learn from. Boxes are regressed without regard to class.

    Args:
        in_channels: channels of the pyramid.
        num_classes: number of classes ``C``.
        strides: pixels between anchors, one a level; the last level gives proposals only.
        width: of the two hidden layers.
        proposals: number of proposals of an image, ``A``; also what goes into NMS of each level.
        anchor_scale: side of a square anchor in strides.
    """

    class_layers: ClassVar[dict[str, int]] = {"cls_out": 1}
    """Layers with a row a class, and the number of rows before the first class."""
    exportable: ClassVar[bool] = False
    """NMS and RoIAlign inside the network have no form in exported files."""

    def __init__(
        self, in_channels: int, num_classes: int, strides: Sequence[int], width: int = 1024,
        proposals: int = 1000, anchor_scale: float = 8.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.strides = tuple(strides)
        self.proposals = proposals
        self.rpn_head = RPNHead(in_channels, len(_RATIOS))
        sides = tuple((round(anchor_scale * stride),) for stride in strides)
        self.anchors = AnchorGenerator(sides, (_RATIOS,) * len(strides))
        self.pool = MultiScaleRoIAlign([str(i) for i in range(len(strides) - 1)], _POOLED, 2)
        self.box_head = TwoMLPHead(in_channels * _POOLED**2, width)
        self.cls_out = nn.Linear(width, num_classes + 1)
        self.reg_out = nn.Linear(width, 4)
        nn.init.normal_(self.cls_out.weight, std=0.01)
        nn.init.normal_(self.reg_out.weight, std=0.001)
        for layer in (self.cls_out, self.reg_out):
            nn.init.zeros_(layer.bias)

    def forward(self, features: Sequence[Tensor]) -> TwoStagePredictions:
        """Turn pyramid features, finest first, into predictions in the input frame."""
        size = tuple(side * self.strides[0] for side in features[0].shape[-2:])
        rpn, levels = self._rpn(features)
        proposals, valid = propose(
            rpn, levels, (size[0], size[1]), self.proposals, self.proposals, iou_threshold=0.7
        )
        named = OrderedDict((str(i), f) for i, f in enumerate(features))
        # Autocast brings the features to float32 here; boxes in bf16 would be off by pixels.
        pooled = self.pool(named, list(proposals), [size] * len(proposals))
        hidden = self.box_head(pooled)
        shape = proposals.shape[:2]
        logits = self.cls_out(hidden).float().view(*shape, -1)
        deltas = self.reg_out(hidden).float()
        boxes = ROI_CODER.decode_single(deltas, proposals.flatten(0, 1)).view_as(proposals)
        return TwoStagePredictions(
            boxes=boxes,
            cls_logits=torch.where(valid[..., None], _class_logits(logits), _NEVER),
            quality_logits=None,
            deltas=deltas.view_as(proposals),
            points=_nowhere(shape[1], boxes.device),
            rpn=rpn,
            proposals=proposals,
            valid=valid,
            roi_logits=logits,
        )

    def _rpn(self, features: Sequence[Tensor]) -> tuple[Predictions, list[int]]:
        """Return the predictions for the anchors, and how many of them each level has."""
        objectness, regression = self.rpn_head(list(features))
        shapes = [(f.shape[-2], f.shape[-1]) for f in features]
        points = anchor_points(self.anchors, shapes, self.strides, features[0].device)
        logits = [o.permute(0, 2, 3, 1).flatten(1) for o in objectness]
        moves = [r.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3) for r in regression]
        deltas = torch.cat(moves, dim=1).float()
        assert points.anchors is not None
        anchors = points.anchors.expand_as(deltas)
        boxes = RPN_CODER.decode_single(deltas.flatten(0, 1), anchors.flatten(0, 1))
        rpn = Predictions(
            boxes=boxes.view_as(deltas),
            cls_logits=torch.cat(logits, dim=1).float()[..., None],
            quality_logits=None,
            deltas=deltas,
            points=points,
        )
        return rpn, [part.shape[1] for part in logits]


def _class_logits(logits: Tensor) -> Tensor:
    """``[..., C]`` whose sigmoid is the softmax of ``logits [..., C + 1]`` without background."""
    log_p = F.log_softmax(logits, dim=-1)[..., 1:].clamp(max=_SURE)
    return log_p - torch.log(-torch.expm1(log_p))


def _nowhere(count: int, device: torch.device) -> Points:
    """Points for proposals, which have no place that images share."""
    zero = torch.zeros(count, device=device)
    return Points(torch.zeros((count, 2), device=device), zero + 1, zero.long())
