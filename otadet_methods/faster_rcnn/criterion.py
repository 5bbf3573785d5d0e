"""Faster R-CNN's loss: samples of anchors and of proposals, a class and a box for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from otadet import dist
from otadet.assign import Assigner, MaxIoU
from otadet.criteria import loss_report, masked_sum, matched_targets
from otadet.losses import bce_loss
from otadet.types import BACKGROUND, IGNORED, LossReport, Predictions, Target
from otadet_methods.faster_rcnn.network import ROI_CODER, RPN_CODER, TwoStagePredictions
from otadet_methods.faster_rcnn.proposals import ProposalIoU

Encode: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Boxes ``[N, 4]`` relative to references ``[N, 4]`` as deltas ``[N, 4]``."""

_BETA = 1 / 9
"""Where smooth L1 turns from a parabola to a line (torchvision's and Detectron's RPN)."""


class RCNNCriterion:
    """BCE and smooth L1 on sampled anchors, cross entropy and smooth L1 on sampled proposals.

    Samples are drawn with torch's random numbers, which a checkpoint keeps: positives up to a
    share, then background (Ren et al. 2015, section 3.1.3). Points of ignore regions are never
    drawn. The two RPN terms are divided by the number of anchors drawn, the others by the number
    of proposals drawn, averaged over processes. What differs from the original: objects
    themselves are not put among the proposals, since the forward pass does not know them.

    Args:
        rpn_assigner: which anchor serves which object.
        roi_assigner: which proposal serves which object.
        rpn_samples: anchors drawn of an image, half of them positive at most.
        roi_samples: proposals drawn of an image, a quarter of them positive at most.
    """

    def __init__(
        self,
        rpn_assigner: Assigner | None = None,
        roi_assigner: Assigner | None = None,
        rpn_samples: int = 256,
        roi_samples: int = 512,
    ) -> None:
        self.rpn_assigner = rpn_assigner or MaxIoU(positive=0.7, negative=0.3)
        self.roi_assigner = roi_assigner or ProposalIoU(0.5)
        self.rpn_samples = rpn_samples
        self.roi_samples = roi_samples

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        """Return the loss of a batch.

        Args:
            preds: of a two-stage detector, with gradient.
            targets: one an image, on the same device.

        Returns:
            The total, its terms ``rpn_cls``, ``rpn_box``, ``cls`` and ``box``, and the anchors'
            statistics. :attr:`LossReport.positives` is the number of proposals drawn.

        Raises:
            ValueError: for predictions of a one-stage detector.
        """
        if not isinstance(preds, TwoStagePredictions):
            raise ValueError("RCNNCriterion: expected TwoStagePredictions, got Predictions")
        rpn = preds.rpn
        first = self.rpn_assigner(rpn, targets)
        second = self.roi_assigner(preds.second_stage, targets)
        boxes, labels = matched_targets(first, targets)
        drawn = sample(labels, self.rpn_samples, 0.5)
        norm = _norm(drawn)
        assert rpn.points.anchors is not None
        anchors = rpn.points.anchors.expand_as(boxes)
        positive = labels >= 0
        terms = {
            "rpn_cls": masked_sum(bce_loss(rpn.cls_logits.squeeze(-1), positive), drawn) / norm,
            "rpn_box": masked_sum(
                _distance(rpn.deltas, RPN_CODER.encode_single, boxes, anchors), drawn & positive
            ) / norm,
        }  # fmt: skip
        boxes, labels = matched_targets(second, targets)
        labels = torch.where(preds.valid, labels, IGNORED)
        drawn = sample(labels, self.roi_samples, 0.25)
        norm = _norm(drawn)
        wanted = (labels + 1).clamp(min=0)
        entropy = F.cross_entropy(preds.roi_logits.mT, wanted, reduction="none")
        apart = _distance(preds.deltas, ROI_CODER.encode_single, boxes, preds.proposals)
        terms["cls"] = masked_sum(entropy, drawn) / norm
        terms["box"] = masked_sum(apart, drawn & (labels >= 0)) / norm
        counts = {"positives": positive.sum(), "roi_positives": (labels >= 0).sum()}
        return loss_report(terms, norm, {**counts, **first.stats})


@torch.no_grad()
def sample(labels: Tensor, count: int, share: float) -> Tensor:
    """Sample points to learn from; shapes do not depend on the values.

    Args:
        labels: ``[B, N]`` int64: a class, -1 for background, -2 for a point never drawn.
        count: points drawn of an image; fewer where there are fewer.
        share: largest share of them that may be positive.

    Returns:
        ``[B, N]`` bool.
    """
    key = torch.rand(labels.shape, device=labels.device)
    positive = (labels >= 0) & (_rank(key, labels >= 0) < round(count * share))
    room = count - positive.sum(dim=1, keepdim=True)
    background = labels == BACKGROUND
    return positive | (background & (_rank(key, background) < room))


def _rank(key: Tensor, mask: Tensor) -> Tensor:
    """Return ``[B, N]`` place of each point among those of its image in ``mask``, by rising key."""
    order = torch.where(mask, key, torch.inf).argsort(dim=1)
    places = torch.arange(key.shape[1], device=key.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def _norm(drawn: Tensor) -> Tensor:
    return dist.mean(drawn.sum().float()).clamp(min=1.0)


def _distance(deltas: Tensor, encode: Encode, boxes: Tensor, references: Tensor) -> Tensor:
    """Return the smooth L1 distance ``[B, N]`` between deltas and those of the objects.

    Meaningless where a proposal has no object.
    """
    solid = torch.where((boxes[..., 2:] > boxes[..., :2]).all(-1, keepdim=True), boxes, references)
    goal = encode(solid.flatten(0, 1), references.flatten(0, 1)).view_as(deltas)
    return F.smooth_l1_loss(deltas, goal, beta=_BETA, reduction="none").sum(dim=-1)
