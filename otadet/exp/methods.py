"""Methods of label assignment by name: an assigner with the loss that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal

from otadet.assign import (
    ATSS,
    FSAF,
    LLA,
    OTA,
    PAA,
    TAL,
    AnchorBag,
    Assigner,
    DETRMatch,
    DynamicK,
    FCOSAssigner,
    FoveaBox,
    Hungarian,
    InsideBox,
    MaxIoU,
    Newton,
    SimOTA,
    TopK,
)
from otadet.criteria import (
    AutoAssignCriterion,
    CenterWeight,
    Cleanliness,
    Criterion,
    DETRCriterion,
    FCOSCriterion,
    FreeAnchorCriterion,
    Weighing,
)
from otadet.models import Quality

MethodName = Literal[
    "ota", "ota_newton", "ota_image_k", "simota", "atss", "paa", "fcos", "fcos_nocenter",
    "retinanet", "tal", "topk", "hungarian", "lla", "foveabox", "fsaf", "sapd", "noisyanchors",
    "freeanchor", "mal", "autoassign", "detr",
]  # fmt: skip


@dataclass(frozen=True)
class Method:
    """An assigner with the loss that belongs to it, for the network of :class:`FCOSHead`.

    Attributes:
        assigner: which point serves which object; for a method that weighs many points softly,
            the points that it weighs. What a run draws.
        criterion: makes the loss from the assigner and what the quality branch learns.
        quality: the quality branch that the method asks for; ``None`` takes the experiment's.
        class_prior: whether the head learns a place and a width of each class (AutoAssign).
        depress: whether the network dims features of most attention in training (MAL).
    """

    assigner: Assigner
    criterion: Callable[[Assigner, Quality], Criterion] = FCOSCriterion
    quality: Quality | None = None
    class_prior: bool = False
    depress: bool = False

    @property
    def wants_network(self) -> bool:
        """Whether the network is another than the experiment's settings alone would make."""
        return self.quality is not None or self.class_prior or self.depress

    @property
    def has_anchors(self) -> bool:
        """Whether the assigner compares anchors, whose size the experiment sets."""
        return any(f.name == "anchor_scale" for f in fields(self.assigner))  # type: ignore[arg-type]

    def quality_of(self, wanted: Quality) -> Quality:
        """The quality branch for an experiment that wants ``wanted``."""
        return wanted if self.quality is None else self.quality

    def build_assigner(self, anchor_scale: float = 8.0) -> Assigner:
        """The assigner, with square anchors of ``anchor_scale`` strides where it has any."""
        if self.has_anchors:
            return replace(self.assigner, anchor_scale=anchor_scale)  # type: ignore[type-var]
        return self.assigner

    def build(self, quality: Quality = "iou", anchor_scale: float = 8.0) -> Criterion:
        """The loss, for an experiment whose quality branch learns ``quality``."""
        return self.criterion(self.build_assigner(anchor_scale), self.quality_of(quality))


def _weighed(weigh: Weighing) -> Callable[[Assigner, Quality], Criterion]:
    return lambda assigner, quality: FCOSCriterion(assigner, quality, weigh=weigh)


METHODS: dict[MethodName, Method] = {
    "ota": Method(OTA()),
    "ota_newton": Method(OTA(match=Newton())),
    "ota_image_k": Method(OTA(supply=DynamicK(10, over="image"))),
    "simota": Method(SimOTA()),
    "atss": Method(ATSS()),
    "paa": Method(PAA()),
    "fcos": Method(FCOSAssigner()),
    "fcos_nocenter": Method(FCOSAssigner(radius=None)),
    "retinanet": Method(MaxIoU()),
    "tal": Method(TAL()),
    "topk": Method(OTA(match=TopK())),
    "hungarian": Method(OTA(match=Hungarian())),
    "lla": Method(LLA()),
    "foveabox": Method(FoveaBox()),
    "fsaf": Method(FSAF()),
    "sapd": Method(FSAF(), _weighed(CenterWeight())),
    "noisyanchors": Method(AnchorBag(30), _weighed(Cleanliness())),
    "freeanchor": Method(AnchorBag(50), lambda bag, _: FreeAnchorCriterion(bag), quality="none"),
    "mal": Method(
        AnchorBag(40),
        lambda bag, _: FreeAnchorCriterion(bag, bag_size=40),
        quality="none",
        depress=True,
    ),
    "autoassign": Method(
        AnchorBag(None, InsideBox()),
        lambda bag, _: AutoAssignCriterion(bag),
        quality="iou",
        class_prior=True,
    ),
    "detr": Method(DETRMatch(), lambda match, _: DETRCriterion(match), quality="none"),
}
"""Every method under one loss, network and recipe: ``method=NAME`` of an experiment."""
