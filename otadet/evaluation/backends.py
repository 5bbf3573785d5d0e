"""COCO evaluation by pycocotools or hotcoco, behind one function.

``pycocotools`` is the reference; ``hotcoco`` is faster and optional. Both take the same arrays in
memory and return the same two arrays.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from otadet.coco_json import coco_document
from otadet.errors import InputError
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

Backend = Literal["auto", "pycocotools", "hotcoco"]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_FIRST_EQUAL = 1
"""Major version; hotcoco before 1.0 differs in the number of detections and in ties."""

SIZES = ("all", "small", "medium", "large")


class Curves(NamedTuple):
    """Precision and recall, of which COCO's metrics are means; -1 where there is no ground truth.

    Attributes:
        precision: ``[10, 101, C, 4, M]`` by IoU, recall 0, 0.01 ... 1, class, size (all, small,
            medium, large) and cap of detections.
        recall: ``[10, C, 4, M]``.
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]


def resolve(backend: Backend) -> Backend:
    """Choose the library: ``auto`` is hotcoco where it is installed (1.0 or later).

    Raises:
        InputError: the name is unknown, or hotcoco is requested and not installed.
    """
    if backend not in ("auto", "pycocotools", "hotcoco"):
        raise InputError(f"backend: expected 'auto', 'pycocotools' or 'hotcoco', got {backend!r}")
    installed = _hotcoco_is_equal()
    if backend == "auto":
        return "hotcoco" if installed else "pycocotools"
    if backend == "hotcoco" and not installed:
        raise InputError(
            f"backend 'hotcoco' is not installed in version {_FIRST_EQUAL} or later: expected it "
            "from `pip install otadet[fast-eval]`, or backend 'pycocotools'"
        )
    return backend


def _hotcoco_is_equal() -> bool:
    """Whether hotcoco is installed in a version that equals pycocotools."""
    if importlib.util.find_spec("hotcoco") is None:
        return False
    return int(importlib.metadata.version("hotcoco").split(".")[0]) >= _FIRST_EQUAL


def curves(
    gts: Sequence[GroundTruth],
    num_classes: int,
    detections: DetectionColumns,
    caps: Sequence[int],
    backend: Backend = "auto",
) -> Curves:
    """Match detections with the ground truth and accumulate precision and recall.

    Args:
        gts: of every image.
        num_classes: ``C``.
        detections: of all images.
        caps: ``M`` rising limits on the detections of an image and class.
        backend: the library.
    """
    document = {"info": {}, **coco_document(gts, [str(i) for i in range(num_classes)])}
    found = _detection_rows(detections)
    if resolve(backend) == "hotcoco":
        evaluator = _hotcoco(document, found)
    else:
        evaluator = _pycocotools(document, found)
    evaluator.params.maxDets = list(caps)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.evaluate()
        evaluator.accumulate()
    return Curves(
        np.asarray(evaluator.eval["precision"], np.float64).reshape(
            len(IOU_THRESHOLDS), -1, num_classes, len(SIZES), len(caps)
        ),
        np.asarray(evaluator.eval["recall"], np.float64).reshape(
            len(IOU_THRESHOLDS), num_classes, len(SIZES), len(caps)
        ),
    )


def _detection_rows(detections: DetectionColumns) -> npt.NDArray[np.float64]:
    """Rows ``[K, 7]``: image id, left, top, width, height, score, category id."""
    boxes = detections.boxes.astype(np.float64)
    return np.column_stack(
        [
            detections.image_of,
            boxes[:, :2],
            boxes[:, 2:] - boxes[:, :2],
            detections.scores,
            detections.labels + 1,
        ]
    )


def _pycocotools(document: dict[str, Any], found: npt.NDArray[np.float64]) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = document
        gt.createIndex()
        if len(found):
            result = gt.loadRes(found)
        else:  # loadRes reads the first row
            result = COCO()
            result.dataset = {**document, "annotations": []}
            result.createIndex()
        return COCOeval(gt, result, "bbox")


def _hotcoco(document: dict[str, Any], found: npt.NDArray[np.float64]) -> Any:
    import hotcoco

    gt = hotcoco.COCO(document)
    return hotcoco.COCOeval(gt, gt.loadRes(found if len(found) else []), "bbox")
