"""Measures by name, as in the setting ``metrics``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from otadet.errors import InputError
from otadet.evaluation import crowdhuman, crowding, voc
from otadet.evaluation.coco import coco
from otadet.evaluation.evaluator import Evaluator, Measure
from otadet.evaluation.jaccard import require_scipy
from otadet.types import GroundTruth

MetricKind = Literal["coco", "crowdhuman", "voc07", "voc10", "crowding"]
"""A benchmark whose metrics are computed."""


def build_evaluator(
    gts: Sequence[GroundTruth],
    class_names: Sequence[str],
    kinds: Sequence[MetricKind] = ("coco",),
    max_detections: int = 100,
) -> Evaluator:
    """Build an evaluator of one or several kinds of metrics of the same detections.

    Args:
        gts: ground truth of every image of the data set.
        class_names: names of the class indices.
        kinds: what is computed.
        max_detections: of an image and class, for COCO's metrics; the others count all.

    Raises:
        InputError: a required library is not installed, or ``kinds`` is empty.
    """
    makers: dict[MetricKind, Callable[[], Measure]] = {
        "coco": lambda: coco(max_detections=max_detections),
        "crowdhuman": lambda: Measure(crowdhuman.crowdhuman, crowdhuman.NAMES, {"MR"}),
        "voc07": lambda: Measure(voc.voc07, ("VOC07AP",)),
        "voc10": lambda: Measure(voc.voc10, ("VOC10AP",)),
        "crowding": lambda: Measure(crowding.crowding, crowding.NAMES),
    }
    if not kinds:
        raise InputError(f"setting metrics: expected some of {', '.join(makers)}; got none")
    if "crowdhuman" in kinds:
        require_scipy()
    return Evaluator(gts, class_names, [makers[kind]() for kind in dict.fromkeys(kinds)])
