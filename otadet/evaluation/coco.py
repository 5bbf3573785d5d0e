"""COCO's twelve numbers: https://cocodataset.org/#detection-eval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from otadet.evaluation import notes
from otadet.evaluation.backends import SIZES, Backend, Curves, curves, resolve
from otadet.evaluation.result import ClassResult, Evaluation
from otadet.evaluation.store import DetectionColumns, DetectionStore
from otadet.types import Detections, Truth


class CocoMetrics:
    """Gathers detections and computes COCO's numbers.

    Args:
        truths: the objects of every image of the data set, in every process.
        class_names: names of the class indices.
        backend: ``"pycocotools"``, ``"hotcoco"`` (equal, faster, optional), or ``"auto"``.
        max_detections: how many detections an image and class count for AP and for the recalls
            by size. COCO's numbers are those at 100; ``AR1``, ``AR10`` and ``AR100`` keep their
            own, as far as this allows.

    Raises:
        InputError: the backend is unknown or not installed.
        ValueError: an image id is there twice, a label has no name, or ``max_detections`` is
            below 1.
    """

    def __init__(
        self,
        truths: Sequence[Truth],
        class_names: Sequence[str],
        backend: Backend = "auto",
        max_detections: int = 100,
    ) -> None:
        if max_detections < 1:
            raise ValueError(f"max_detections: expected at least 1, got {max_detections}")
        for truth in truths:
            if len(truth) and not 0 <= truth.labels.min() <= truth.labels.max() < len(class_names):
                raise ValueError(
                    f"truth of image id {truth.image_id}: expected labels 0 to "
                    f"{len(class_names) - 1}, got {truth.labels.min()} to {truth.labels.max()}"
                )
        self._truths = tuple(truths)
        self._class_names = tuple(class_names)
        self._backend = resolve(backend)
        self._max_detections = max_detections
        self._store = DetectionStore(self._truths, len(self._class_names))

    def update(self, image_id: int, detections: Detections) -> None:
        """Take the detections of one image, image frame; a second call for it replaces the first.

        Raises:
            ValueError: the image is unknown, or the detections are not well formed.
        """
        self._store.update(image_id, detections)

    def state(self) -> DetectionColumns:
        """What this process has gathered, for :meth:`merge` in another."""
        return self._store.columns()

    def merge(self, states: Sequence[DetectionColumns]) -> None:
        """Take over what other processes have gathered; one's own state among them is harmless."""
        for state in states:
            self._store.merge(state)

    def compute(self) -> Evaluation:
        """The numbers of everything gathered so far. No detections give an AP of 0."""
        detections = self._store.columns()
        caps = sorted({min(cap, self._max_detections) for cap in (1, 10, 100)}
                      | {self._max_detections})  # fmt: skip
        found = curves(self._truths, len(self._class_names), detections, caps, self._backend)
        metrics = _summary(found, caps)
        odd = notes.coverage(self._truths, detections)
        if metrics["AP"] < notes.NEAR_ZERO:
            odd += notes.explain_low_ap(self._truths, self._class_names, detections)
        odd += notes.caps(self._truths, self._class_names, detections, self._max_detections)
        return Evaluation(metrics, self._per_class(found, detections), tuple(odd))

    def _per_class(self, found: Curves, detections: DetectionColumns) -> tuple[ClassResult, ...]:
        count = len(self._class_names)
        labels = np.concatenate([np.zeros(0, np.int64), *(t.labels for t in self._truths)])
        truth = np.bincount(labels, minlength=count).tolist()
        detected = np.bincount(detections.labels, minlength=count).tolist()
        return tuple(
            ClassResult(
                name=name,
                AP=_mean(found.precision[:, :, i, 0, -1]),
                AP50=_mean(found.precision[0, :, i, 0, -1]),
                truth=truth[i],
                detections=detected[i],
            )
            for i, name in enumerate(self._class_names)
        )


def _summary(found: Curves, caps: Sequence[int]) -> dict[str, float]:
    """COCO's means over IoU, recall and classes."""
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
    """The mean of what is defined; -1 where nothing is."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else -1.0
