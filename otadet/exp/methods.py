"""Methods of label assignment by name: an assigner with the loss that belongs to it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, get_args

from otadet.assign import (
    ATSS,
    LLA,
    OTA,
    PAA,
    TAL,
    Assigner,
    Composed,
    DETRMatch,
    DynamicK,
    FCOSAssigner,
    Hungarian,
    MaxIoU,
    Newton,
    SimOTA,
    TopK,
)
from otadet.criteria import Criterion, DETRCriterion, FCOSCriterion
from otadet.errors import InputError
from otadet.models import DenseHead, Detector, Quality

MethodName = Literal[
    "ota", "ota_short", "ota_newton", "ota_image_k", "ota_paper", "simota", "simota_short", "atss",
    "paa", "fcos", "fcos_nocenter", "retinanet", "tal", "topk", "hungarian", "lla", "foveabox",
    "fsaf", "sapd", "noisyanchors", "freeanchor", "mal", "autoassign", "detr",
]  # fmt: skip


@dataclass(frozen=True)
class Method:
    """An assigner with the loss that belongs to it, for an FCOS or a RetinaNet.

    A method that changes the network is a subclass: it sets :attr:`changes_network` and overrides
    what it needs of :meth:`head_class`, :meth:`wrap` and :meth:`before_step`.

    Attributes:
        assigner: which point serves which object; for a method that weighs many points softly,
            the points that it weighs. What a run draws.
        criterion: makes the loss from the assigner and what the quality branch learns.
        quality: the quality branch that the method asks for; ``None`` takes the experiment's.
    """

    assigner: Assigner
    criterion: Callable[[Assigner, Quality], Criterion] = FCOSCriterion
    quality: Quality | None = None

    changes_network: ClassVar[bool] = False
    """Whether one of the next three methods is overridden."""

    def head_class(self, head: type[DenseHead]) -> type[DenseHead]:
        """Return the class that takes the place of the experiment's head."""
        return head

    def wrap(self, model: Detector) -> Detector:
        """Return the network that takes the place of the experiment's, with the same weights."""
        return model

    def before_step(self, model: Detector, progress: float) -> None:
        """Prepare the network for a training step; ``progress`` is the share of the run so far."""

    @property
    def has_anchors(self) -> bool:
        """Whether the assigner compares anchors, whose size the experiment sets."""
        return any(f.name == "anchor_scale" for f in fields(self.assigner))  # type: ignore[arg-type]

    def quality_of(self, wanted: Quality) -> Quality:
        """Return the quality branch for an experiment that wants ``wanted``."""
        return wanted if self.quality is None else self.quality

    def build_assigner(self, anchor_scale: float = 8.0, dynamic_q: int | None = None) -> Assigner:
        """Make the assigner.

        Args:
            anchor_scale: side of the square anchors in strides, where it compares any.
            dynamic_q: how many IoUs an object's k sums, where it does; ``None`` leaves it.
        """
        if self.has_anchors:
            return replace(self.assigner, anchor_scale=anchor_scale)  # type: ignore[type-var]
        return with_dynamic_q(self.assigner, dynamic_q)

    def build(
        self, quality: Quality = "iou", anchor_scale: float = 8.0, dynamic_q: int | None = None
    ) -> Criterion:
        """Make the loss, for an experiment whose quality branch learns ``quality``."""
        assigner = self.build_assigner(anchor_scale, dynamic_q)
        return self.criterion(assigner, self.quality_of(quality))


def with_dynamic_q(assigner: Assigner, q: int | None) -> Assigner:
    """Return the assigner with another number of IoUs that an object's k sums."""
    if q is None or not isinstance(assigner, Composed):
        return assigner
    if not isinstance(assigner.supply, DynamicK):
        return assigner
    return replace(assigner, supply=replace(assigner.supply, q=q))


def require_dynamic_q(assigner: Assigner, q: int | None) -> None:
    """Refuse a number of IoUs that the experiment's assigner does not take.

    Raises:
        InputError: its k is no sum of ``q`` IoUs.
    """
    if q is not None and getattr(getattr(assigner, "supply", None), "q", None) != q:
        raise InputError(
            f"setting dynamic_q={q}: has no effect, since the assigner {type(assigner).__name__} "
            "of this experiment takes its number of points otherwise"
        )


_OWN: dict[str, Method] = {
    "ota": Method(OTA()),
    "ota_short": Method(OTA.short()),
    "ota_newton": Method(OTA(match=Newton())),
    "ota_image_k": Method(OTA(supply=DynamicK(10, over="image"))),
    "ota_paper": Method(OTA.paper()),
    "simota": Method(SimOTA()),
    "simota_short": Method(SimOTA.short()),
    "atss": Method(ATSS()),
    "paa": Method(PAA()),
    "fcos": Method(FCOSAssigner()),
    "fcos_nocenter": Method(FCOSAssigner(radius=None)),
    "retinanet": Method(MaxIoU()),
    "tal": Method(TAL()),
    "topk": Method(OTA(match=TopK())),
    "hungarian": Method(OTA(match=Hungarian())),
    "lla": Method(LLA()),
    "detr": Method(DETRMatch(), lambda match, _: DETRCriterion(match), quality="none"),
}
_ELSEWHERE: dict[str, str] = {
    "foveabox": "otadet_methods.foveabox.METHOD",
    "fsaf": "otadet_methods.fsaf.METHOD",
    "sapd": "otadet_methods.point_weights.SAPD",
    "noisyanchors": "otadet_methods.point_weights.NOISY_ANCHORS",
    "freeanchor": "otadet_methods.free_anchor.METHOD",
    "mal": "otadet_methods.mal.METHOD",
    "autoassign": "otadet_methods.auto_assign.METHOD",
}
"""Methods that other packages hold, imported when they are asked for."""


class _Methods(Mapping[MethodName, Method]):
    def __getitem__(self, name: MethodName) -> Method:
        if name in _OWN:
            return _OWN[name]
        module, _, attribute = _ELSEWHERE[name].rpartition(".")
        try:
            method: Method = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise InputError(
                f"method={name}: expected the package {module.partition('.')[0]} beside otadet, "
                f"got {error}; install otadet again (pip install -e .)"
            ) from error
        return method

    def __iter__(self) -> Iterator[MethodName]:
        return iter(get_args(MethodName))

    def __len__(self) -> int:
        return len(get_args(MethodName))


METHODS: Mapping[MethodName, Method] = _Methods()
"""Every method under one loss, network and recipe: ``method=NAME`` of an experiment."""
