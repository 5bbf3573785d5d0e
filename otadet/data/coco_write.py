"""Write any data set as files in COCO's format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otadet.atomic import atomic_write
from otadet.data.base import Dataset
from otadet.data.image_file import write_image
from otadet.types import GroundTruth


def write_coco(
    dataset: Dataset,
    folder: str | Path,
    *,
    annotations: str = "annotations/train.json",
    images: str = "images",
) -> Path:
    """Write images and annotations of a data set in COCO's format.

    ``CocoDataset(folder, annotations, images)`` has the same content. Category ids are
    the class indices plus one. A region that is ignored for every class becomes one ``iscrowd``
    annotation a class, since COCO has no other form for it.

    Args:
        dataset: what to write; the ending of its file names decides the image format.
        folder: made where missing.
        annotations: the JSON file, relative to ``folder``; written last, and whole or not at all.
        images: the image folder, relative to ``folder``.

    Returns:
        The path of the JSON file.
    """
    folder = Path(folder)
    truths = [dataset.truth(index) for index in range(len(dataset))]
    for index, truth in enumerate(truths):
        path = folder / images / truth.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, dataset.load(index).image)
    document = coco_document(truths, dataset.class_names)
    target = folder / annotations
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, json.dumps(document))
    return target


def coco_document(truths: Iterable[GroundTruth], class_names: Sequence[str]) -> dict[str, Any]:
    """The truth of images as a COCO document; category ids are the class indices plus one."""
    rows: list[dict[str, Any]] = []
    image_rows: list[dict[str, Any]] = []
    for truth in truths:
        height, width = truth.size
        image_rows.append(
            {"id": truth.image_id, "file_name": truth.file_name, "width": width, "height": height}
        )
        rows += _annotations(truth, len(class_names))
    categories = [{"id": i, "name": name} for i, name in enumerate(class_names, start=1)]
    numbered = [{"id": i, **row} for i, row in enumerate(rows, start=1)]
    return {"images": image_rows, "annotations": numbered, "categories": categories}


def _annotations(truth: GroundTruth, num_classes: int) -> list[dict[str, Any]]:
    rows = [
        _row(truth.image_id, label, box, area, 0)
        for box, label, area in zip(truth.boxes, truth.labels.tolist(), truth.areas.tolist())
    ]
    labels = truth.ignore_labels
    if labels is None:
        labels = np.full(len(truth.ignore_boxes), -1, np.int64)
    for box, label in zip(truth.ignore_boxes, labels.tolist()):
        classes = range(num_classes) if label < 0 else (label,)
        rows += [_row(truth.image_id, each, box, None, 1) for each in classes]
    return rows


def _row(
    image_id: int, label: int, box: np.ndarray[Any, Any], area: float | None, crowd: int
) -> dict[str, Any]:
    left, top, right, bottom = box.tolist()
    width, height = right - left, bottom - top
    return {
        "image_id": image_id,
        "category_id": label + 1,
        "bbox": [left, top, width, height],
        "area": width * height if area is None else area,
        "iscrowd": crowd,
    }
