"""Records of a data set that an experiment makes itself, whatever format it is read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otadet.choices import Split
from otadet.data import Dataset
from otadet.data.affine import Image
from otadet.data.findings import Finding, found
from otadet.data.records import Records
from otadet.errors import InputError


def own_records(dataset: Dataset, split: Split) -> Records:
    """Read the ground truth of every image.

    What the data set's own reader left out or cut is not seen; places are image ids, since no
    file is known.
    """
    gts = [dataset.ground_truth(index) for index in range(len(dataset))]
    path = Path(type(dataset).__name__)
    counts = [len(gt) for gt in gts] + [len(gt.ignore_boxes) for gt in gts]
    images = np.arange(len(gts))
    image = np.repeat(np.concatenate([images, images]), counts)
    empty = [np.zeros((0, 4))]
    boxes = np.concatenate([*empty, *(gt.boxes for gt in gts), *(gt.ignore_boxes for gt in gts)])
    given = np.concatenate([np.zeros(0, np.int64), *(gt.labels for gt in gts)])
    strange = np.flatnonzero((given < 0) | (given >= len(dataset.class_names)))
    labels = np.full(len(image), -1, np.int64)  # ignore regions have none
    labels[: len(given)] = given
    labels[strange] = -1

    def at(index: int) -> tuple[Path, str]:
        return path, f"image id {gts[index].image_id}"

    records = Records(
        split=split,
        format="own",
        path=path,
        images=Path(),
        names=dataset.class_names,
        image_ids=np.array([gt.image_id for gt in gts], np.int64),
        file_names=tuple(gt.file_name for gt in gts),
        sizes=np.array([gt.size for gt in gts], np.float64).reshape(-1, 2),
        image=image,
        labels=labels,
        boxes=boxes.astype(np.float64),
        ignored=np.arange(len(image)) >= len(given),
        amodal=any(gt.amodal for gt in gts),
        place=lambda row: at(int(image[row])),
        image_place=at,
        load=lambda index: _load(dataset, index),
    )
    text = f"expected a label from 0 to {len(dataset.class_names) - 1}"
    faults = found(
        "class-unknown", "error", split, strange, text,
        lambda row: records.box_spot(row, f"got {given[row]}"),
    )  # fmt: skip
    return records.with_findings(faults)


def check_loading(dataset: Dataset, records: Records) -> list[Finding]:
    """Load every image: those that cannot be loaded, and those of another size than stated."""
    unreadable: dict[int, str] = {}
    other: dict[int, str] = {}
    for index in range(len(dataset)):
        try:
            height, width = _load(dataset, index).shape[:2]
        except InputError as error:
            unreadable[index] = str(error)
            continue
        if (height, width) != tuple(records.sizes[index]):
            other[index] = f"got {height} x {width}"

    return found(
        "file-not-image", "error", records.split, unreadable, "images that cannot be loaded",
        lambda index: records.image_spot(index, unreadable[index]),
    ) + found(
        "size-differs", "error", records.split, other, "images of another size than is stated",
        lambda index: records.image_spot(index, other[index]),
    )  # fmt: skip


def _load(dataset: Dataset, index: int) -> Image:
    return dataset.load(index).image
