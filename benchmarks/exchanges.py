"""OTA with one part exchanged at a time, by name, for ``studies.py``.

``ota_q5`` is the base: every other form of OTA differs from it in one part, which its name says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from partial_transport import FreeBackground, Partial, Unbalanced
from torch import Tensor

from otadet.assign import (
    ATSS,
    OTA,
    TAL,
    Assigner,
    BCECost,
    CenterBox,
    ClosestPerLevel,
    Cost,
    DynamicK,
    Exact,
    FCOSAssigner,
    FixedK,
    FocalCost,
    GIoUCost,
    InsideBox,
    IoUCost,
    Newton,
    PairCost,
    ResolveAmbiguous,
    SimOTA,
    Sinkhorn,
    TopK,
)
from otadet.assign.candidates import Candidates, gather
from otadet.assign.costs import own_logits
from otadet.assign.flat_batch import FlatBatch


@dataclass(frozen=True)
class SoftBCECost(Cost):
    """RTMDet's class cost (Lyu et al. 2022): BCE to the IoU, times its squared distance to it."""

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        logits = candidates.at_points(batch.logits).float()
        background = gather(_soft_bce(logits, torch.zeros_like(logits)).sum(1), candidates.local)
        own = own_logits(batch, candidates)
        change = _soft_bce(own, iou) - _soft_bce(own, torch.zeros_like(own))
        return PairCost(background + change, background)


def _soft_bce(logits: Tensor, label: Tensor) -> Tensor:
    bce = F.binary_cross_entropy_with_logits(logits, label, reduction="none")
    return bce * (logits.sigmoid() - label).square()


@dataclass(frozen=True)
class DistanceCost(Cost):
    """RTMDet's soft centre prior: ``10^(distance in strides - 3)``."""

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        point = candidates.point % batch.num_points
        offset = batch.points.xy[point] - batch.gt_centers[:, None]
        distance = offset.norm(dim=-1) / batch.points.stride[point]
        cost = 10.0 ** (distance.clamp(max=30) - 3)
        return PairCost(cost, torch.zeros_like(cost))


@dataclass(frozen=True)
class WassersteinCost(Cost):
    """``-log NWD`` of the boxes as Gaussians (Wang et al. 2021), for objects that IoU hardly sees.

    Attributes:
        scale: pixels; the paper's 12.8 is the mean size of its objects.
    """

    scale: float = 12.8

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> PairCost:
        difference = _gaussian(gather(batch.boxes, candidates.point))
        difference = difference - _gaussian(batch.gt_boxes)[:, None]
        cost = difference.norm(dim=-1) / self.scale
        return PairCost(cost, torch.zeros_like(cost))


def _gaussian(boxes: Tensor) -> Tensor:
    """Centres and half sides ``[..., 4]`` of boxes."""
    low, high = boxes.float().chunk(2, dim=-1)
    return torch.cat([(low + high) / 2, (high - low) / 2], dim=-1)


Q5 = OTA(supply=DynamicK(5))
RTMDET_COST = SoftBCECost() + 3.0 * IoUCost() + 1.0 * DistanceCost()

VARIANTS: dict[str, Assigner] = {
    "ota": OTA(),
    "ota_q5": Q5,
    "supply:q3": OTA(supply=DynamicK(3)),
    "supply:q10": OTA(supply=DynamicK(10)),
    "supply:q5_image": OTA(supply=DynamicK(5, over="image")),
    "supply:q5_all": OTA(supply=DynamicK(5, over="all")),
    "supply:k1": OTA(supply=FixedK(1)),
    "supply:k3": OTA(supply=FixedK(3)),
    "supply:k5": OTA(supply=FixedK(5)),
    "supply:k10": OTA(supply=FixedK(10)),
    "prior:1.5_open": replace(Q5, prior=CenterBox(1.5, inside_box=False)),
    "prior:2.5_open": replace(Q5, prior=CenterBox(2.5, inside_box=False)),
    "prior:2.5_raised": replace(Q5, prior=CenterBox(2.5, least=16)),
    "prior:r3": replace(Q5, prior=ClosestPerLevel(3)),
    "prior:r5": replace(Q5, prior=ClosestPerLevel(5)),
    "prior:r7": replace(Q5, prior=ClosestPerLevel(7)),
    "cost:yolox": replace(Q5, cost=SimOTA().cost),
    "cost:giou": replace(Q5, cost=FocalCost() + 1.5 * GIoUCost()),
    "cost:rtmdet": replace(Q5, cost=RTMDET_COST),
    "match:converged": replace(Q5, match=Newton()),
    "match:topk": replace(Q5, match=TopK()),
    "paper": OTA.paper(),
    "simota": SimOTA(),
    "simota_q5": SimOTA.short(),
    "rtmdet": SimOTA(prior=InsideBox(), cost=RTMDET_COST, supply=DynamicK(13, over="image")),
    "atss": ATSS(anchor_scale=3.0),
    "tal": TAL(),
    "fcos": FCOSAssigner(),
}

FURTHER: dict[str, Assigner] = {
    "supply:q2": OTA(supply=DynamicK(2)),
    "supply:q7": OTA(supply=DynamicK(7)),
    "match:exact": replace(Q5, match=Exact()),
}
"""The same, compared with the base by themselves."""

PAPER_VARIANTS: dict[str, Assigner] = {
    "fcos_box": FCOSAssigner(radius=None),
    "k10": OTA(supply=FixedK(10)),
    "k10_box": OTA(prior=InsideBox(), supply=FixedK(10)),
    "min_area": replace(Q5, match=ResolveAmbiguous("min_area")),
    "max_iou": replace(Q5, match=ResolveAmbiguous("max_iou")),
    "min_loss": replace(Q5, match=ResolveAmbiguous("min_loss")),
}
"""Further forms of the paper's Tables 1 and 3; ``box`` has no centre prior."""

PAPER_ROWS = (
    "fcos quality=none", "fcos quality=centerness", "fcos_box quality=iou", "fcos quality=iou",
    "k10 quality=none", "k10_box quality=iou", "k10 quality=iou", "ota quality=iou",
    "ota_q5 quality=none", "ota_q5 quality=iou", "ota_q5 quality=iou head=retinanet anchor_scale=3",
    "min_area quality=iou", "max_iou quality=iou", "min_loss quality=iou",
)  # fmt: skip
"""Forms and settings of ``exchange_fcos.py``."""

SHORT = ("prior:1.5_open", "simota", "simota_q5", "atss", "tal", "fcos")

SOFT = (
    "ota_q5 targets=iou", "ota_q5 targets=varifocal", "ota_q5 targets=iou quality=none",
    "ota_q5 targets=varifocal quality=none", "tal targets=iou",
)  # fmt: skip
"""Forms and settings of ``exchange_fcos.py``."""

FINALISTS = ("ota", "ota_q5", "simota", "simota_q5")

YOLOX = OTA.yolox()
WIDE = replace(YOLOX, prior=SimOTA().prior)

NANO_VARIANTS: dict[str, Assigner] = {
    "simota": SimOTA(),
    "simota_q5": SimOTA.short(),
    "simota_q5_repaired": replace(SimOTA.short(), min_positives=1),
    "ota": YOLOX,
    "ota_q10": replace(YOLOX, supply=DynamicK(10)),
    "ota_q5": replace(YOLOX, supply=DynamicK(5)),
    "ota_wide_q10": replace(WIDE, supply=DynamicK(10)),
    "ota_wide_q5": replace(WIDE, supply=DynamicK(5)),
    "ota_raised_q10": replace(YOLOX, prior=CenterBox(2.5, least=16), supply=DynamicK(10)),
    "ota_raised_q5": replace(YOLOX, prior=CenterBox(2.5, least=16), supply=DynamicK(5)),
    "atss": ATSS(),
    "atss:3": ATSS(anchor_scale=3.0),
    "atss:1": ATSS(anchor_scale=1.0),
    "tal": TAL(),
    "fcos": FCOSAssigner(),
    "simota_q3": SimOTA(supply=DynamicK(3, over="image")),
    "simota_q5_rtmdet": replace(SimOTA.short(), cost=RTMDET_COST),
    "simota_q5_alpha1": replace(SimOTA.short(), cost=BCECost() + 1.0 * IoUCost()),
    "simota_q5_alpha6": replace(SimOTA.short(), cost=BCECost() + 6.0 * IoUCost()),
}
"""Under YOLOX's head and cost; ``wide`` has SimOTA's prior, ``repaired`` leaves no object bare."""

NANO_Q5 = replace(WIDE, supply=DynamicK(5, over="image"), min_positives=0)
NANO_HIDDEN: dict[str, Assigner] = {
    "free": replace(NANO_Q5, match=FreeBackground()),
    "eps:0.02": replace(NANO_Q5, match=Sinkhorn(eps=0.02)),
    "eps:1": replace(NANO_Q5, match=Sinkhorn(eps=1)),
    "cost:nwd": replace(NANO_Q5, cost=BCECost() + 3.0 * WassersteinCost()),
    "simota_nwd": replace(SimOTA.short(), cost=BCECost() + 3.0 * WassersteinCost()),
}
"""Further forms for objects that hide each other; all have SimOTA's prior, cost and supply."""

NANO_UNSERVED: dict[str, Assigner] = {
    "free_unbalanced": replace(NANO_Q5, match=FreeBackground(Unbalanced(rho=10))),
    "free_partial": replace(NANO_Q5, match=FreeBackground(Partial())),
    "free_partial_own": replace(NANO_Q5, match=FreeBackground(Partial(own=True))),
}
"""Those that may leave labels unserved."""

NANO = NANO_VARIANTS | NANO_HIDDEN | NANO_UNSERVED

NANO_FINALISTS = ("simota", "simota_q5", "ota_q5", "ota_wide_q5", "ota_raised_q5")

NANO_MORE = (
    "simota_q5", "atss", "atss:3", "tal", "fcos", "simota_q5 objectness=iou",
    "simota_q5 classes=one", "simota_q5 objectness=iou classes=one", "simota_q3",
    "simota_q5_rtmdet", "simota_q5_alpha1", "simota_q5_alpha6",
)  # fmt: skip
"""Forms and settings of ``exchange_nano.py``: other methods, targets and costs."""

NANO_SOFT = (
    "simota", "simota_q5 objectness=iou", "simota objectness=iou", "ota_wide_q5 objectness=iou",
)  # fmt: skip
NANO_COCO = ("simota", "simota_q5 objectness=iou", "ota_wide_q5 objectness=iou")
NANO_OTHERS = ("atss:3 objectness=iou", "tal objectness=iou", "fcos objectness=iou")
NANO_OTHERS_TINY = ("atss:1 objectness=iou", *NANO_OTHERS[1:])
"""Anchors of the objects' size."""
GOALS = ("simota_q5 objectness=relative", "simota_q5 objectness=square")
"""What objectness learns on positives."""
