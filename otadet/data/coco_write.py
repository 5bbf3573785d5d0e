"""Write any data set as files in COCO's format."""

from __future__ import annotations

import json
from pathlib import Path

from otadet.atomic import atomic_write
from otadet.coco_json import coco_document
from otadet.data.base import Dataset
from otadet.data.image_file import write_image


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
    gts = [dataset.ground_truth(index) for index in range(len(dataset))]
    for index, gt in enumerate(gts):
        path = folder / images / gt.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, dataset.load(index).image)
    document = coco_document(gts, dataset.class_names)
    target = folder / annotations
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, json.dumps(document))
    return target
