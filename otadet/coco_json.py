"""COCO's annotation document, for the writer of data sets and for the libraries of its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from otadet.types import GroundTruth


def coco_document(
    gts: Iterable[GroundTruth],
    class_names: Sequence[str],
    category_ids: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Make a COCO document of the ground truth of images.

    Annotation ids count from 1, since pycocotools marks an unmatched detection by 0. A region that
    is ignored for every class becomes one ``iscrowd`` annotation a class, COCO's only way to
    express it. Scores become the key ``score`` of their annotations.

    Args:
        gts: one for each image.
        class_names: by class index.
        category_ids: likewise; by default the class index plus one.
    """
    ids = category_ids or range(1, len(class_names) + 1)
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for gt in gts:
        height, width = gt.size
        images.append(
            {"id": gt.image_id, "file_name": gt.file_name, "width": width, "height": height}
        )
        scores = [{}] * len(gt) if gt.scores is None else [{"score": s} for s in gt.scores.tolist()]
        for box, label, area, score in zip(
            _xywh(gt.boxes), gt.labels.tolist(), gt.areas.tolist(), scores
        ):
            rows.append(_annotation(gt.image_id, ids[label], box, area, crowd=0) | score)
        for box, label in zip(_xywh(gt.ignore_boxes), gt.region_labels.tolist()):
            area = box[2] * box[3]
            rows += [
                _annotation(gt.image_id, each, box, area, crowd=1)
                for each in (ids if label < 0 else (ids[label],))
            ]
    categories = [{"id": i, "name": name} for i, name in zip(ids, class_names)]
    numbered = [{"id": i, **row} for i, row in enumerate(rows, start=1)]
    return {"images": images, "annotations": numbered, "categories": categories}


def _annotation(
    image_id: int, category_id: int, box: list[float], area: float, crowd: int
) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": category_id,
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
