"""The two libraries that compute COCO's numbers, behind one function.

Both get the same columns in memory and give the same two arrays. ``pycocotools`` is the
reference and prints; ``hotcoco`` is the fast one and optional.
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

from otadet.errors import InputError
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

Backend = Literal["auto", "pycocotools", "hotcoco"]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_FIRST_EQUAL = 1
"""hotcoco before 1.0 counts another number of detections and differs in ties."""

SIZES = ("all", "small", "medium", "large")


class Curves(NamedTuple):
    """What COCO's numbers are means of; -1 where there is no ground truth.

    Attributes:
        precision: ``[10, 101, C, 4, M]`` by IoU, recall 0, 0.01 ... 1, class, size (all, small,
            medium, large) and cap of detections.
        recall: ``[10, C, 4, M]``.
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]


def resolve(backend: Backend) -> Backend:
    """The library that will be used: ``auto`` is hotcoco where it is installed (1.0 or later).

    Raises:
        InputError: the name is none, or hotcoco is asked for and not installed.
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
    """Whether hotcoco is installed, and of a version whose numbers are those of pycocotools."""
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
    """Match detections to the ground truth and accumulate.

    Args:
        gts: of every image.
        num_classes: ``C``.
        detections: of all images.
        caps: rising numbers of detections an image and class that are looked at, ``M`` of them.
        backend: the library.
    """
    document = ground_truth(gts, num_classes)
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


def ground_truth(gts: Sequence[GroundTruth], num_classes: int) -> dict[str, Any]:
    """The ground truth as a COCO document.

    Ids count from 1: pycocotools marks an unmatched detection by 0, so that an object of id 0
    would never count as found. Category ids are class indices plus one. A region that is ignored
    for every class becomes a crowd of each.
    """
    rows: list[dict[str, Any]] = []
    for gt in gts:
        for box, label, area in zip(_xywh(gt.boxes), gt.labels.tolist(), gt.areas.tolist()):
            rows.append(_annotation(gt.image_id, label, box, area, crowd=0))
        labels = [-1] * len(gt.ignore_boxes)
        if gt.ignore_labels is not None:
            labels = gt.ignore_labels.tolist()
        for box, label in zip(_xywh(gt.ignore_boxes), labels):
            classes = range(num_classes) if label < 0 else (label,)
            area = box[2] * box[3]
            rows += [_annotation(gt.image_id, each, box, area, crowd=1) for each in classes]
    for number, row in enumerate(rows, start=1):
        row["id"] = number
    return {
        "info": {},
        "images": [{"id": t.image_id, "height": t.size[0], "width": t.size[1]} for t in gts],
        "categories": [{"id": i + 1, "name": str(i)} for i in range(num_classes)],
        "annotations": rows,
    }


def _annotation(
    image_id: int, label: int, box: list[float], area: float, crowd: int
) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": label + 1,
        "bbox": box,
        "area": area,
        "iscrowd": crowd,
    }


def _xywh(boxes: npt.NDArray[np.float32]) -> list[list[float]]:
    wide = boxes.astype(np.float64)
    corners: list[list[float]] = np.concatenate(
        [wide[:, :2], wide[:, 2:] - wide[:, :2]], axis=1
    ).tolist()
    return corners


def _detection_rows(detections: DetectionColumns) -> npt.NDArray[np.float64]:
    """``[K, 7]`` image id, left, top, width, height, score, category id."""
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
        else:  # loadRes looks at the first row
            result = COCO()
            result.dataset = {**document, "annotations": []}
            result.createIndex()
        return COCOeval(gt, result, "bbox")


def _hotcoco(document: dict[str, Any], found: npt.NDArray[np.float64]) -> Any:
    import hotcoco

    gt = hotcoco.COCO(document)
    return hotcoco.COCOeval(gt, gt.loadRes(found if len(found) else []), "bbox")
