"""COCO's twelve metrics: https://cocodataset.org/#detection-eval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from otadet.evaluation import diagnostics
from otadet.evaluation.backends import SIZES, Backend, Curves, curves, resolve
from otadet.evaluation.evaluator import Measure
from otadet.evaluation.result import METRIC_NAMES, ClassResult, Evaluation
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth


def coco(backend: Backend = "auto", max_detections: int = 100) -> Measure:
    """Make the measure of COCO's twelve metrics.

    Args:
        backend: ``"pycocotools"``, ``"hotcoco"`` (equal, faster, optional), or ``"auto"``.
        max_detections: limit on the detections of an image and class for AP and for the recalls
            by size. COCO's is 100; ``AR1``, ``AR10`` and ``AR100`` keep their own as far as this
            allows.

    Raises:
        InputError: the backend is unknown or not installed.
        ValueError: ``max_detections`` is below 1.
    """
    if max_detections < 1:
        raise ValueError(f"max_detections: expected at least 1, got {max_detections}")
    return Measure(partial(_measure, backend=resolve(backend), cap=max_detections), METRIC_NAMES)


def _measure(
    gts: Sequence[GroundTruth],
    class_names: Sequence[str],
    detections: DetectionColumns,
    *,
    backend: Backend,
    cap: int,
) -> Evaluation:
    caps = sorted({min(each, cap) for each in (1, 10, 100)} | {cap})
    found = curves(gts, len(class_names), detections, caps, backend)
    metrics = _summary(found, caps)
    notes = diagnostics.coverage(gts, detections)
    if metrics["AP"] < diagnostics.NEAR_ZERO:
        notes += diagnostics.explain_low_ap(gts, class_names, detections)
    notes += diagnostics.caps(gts, class_names, detections, cap)
    return Evaluation(metrics, _per_class(gts, class_names, found, detections), tuple(notes))


def _per_class(
    gts: Sequence[GroundTruth],
    class_names: Sequence[str],
    found: Curves,
    detections: DetectionColumns,
) -> tuple[ClassResult, ...]:
    count = len(class_names)
    labels = np.concatenate([np.zeros(0, np.int64), *(t.labels for t in gts)])
    objects = np.bincount(labels, minlength=count).tolist()
    detected = np.bincount(detections.labels, minlength=count).tolist()
    return tuple(
        ClassResult(
            name=name,
            AP=_mean(found.precision[:, :, i, 0, -1]),
            AP50=_mean(found.precision[0, :, i, 0, -1]),
            objects=objects[i],
            detections=detected[i],
        )
        for i, name in enumerate(class_names)
    )


def _summary(found: Curves, caps: Sequence[int]) -> dict[str, float]:
    """COCO's means over IoU thresholds, recalls and classes."""
    precision, recall = found
    metrics = {
        "AP": _mean(precision[:, :, :, 0, -1]),
        "AP50": _mean(precision[0, :, :, 0, -1]),
        "AP75": _mean(precision[5, :, :, 0, -1]),
    }
    for size, name in enumerate(SIZES[1:], start=1):
        metrics[f"AP{name[0]}"] = _mean(precision[:, :, :, size, -1])
    for cap in (1, 10, 100):
        at = caps.index(min(cap, caps[-1]))
        metrics[f"AR{cap}"] = _mean(recall[:, :, 0, at])
    for size, name in enumerate(SIZES[1:], start=1):
        metrics[f"AR{name[0]}"] = _mean(recall[:, :, size, -1])
    return metrics


def _mean(values: npt.NDArray[np.float64]) -> float:
    """Mean of the defined values; -1 without any."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else -1.0
