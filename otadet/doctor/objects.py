"""The annotations that training would use as objects: what the checks of boxes look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.data.records import Records


@dataclass(frozen=True, eq=False)
class Objects:
    """The ``G`` annotations that training would take as objects, ordered by image.

    Attributes:
        rows: ``[G]`` index of the annotation.
        image: ``[G]``.
        labels: ``[G]``.
        boxes: ``[G, 4]`` float64 xyxy pixels, cut at the border unless amodal.
        counts: ``[N]`` objects of each image.
    """

    rows: Ints
    image: Ints
    labels: Ints
    boxes: Floats
    counts: Ints


def usable_objects(records: Records) -> Objects:
    """Return the objects of a split without everything that is faulty."""
    limit = limits(records)
    known = (records.image >= 0) & (records.labels >= 0) & ~records.ignored
    known &= np.isfinite(records.boxes).all(axis=1) & np.isfinite(limit).all(axis=1)
    rows = np.flatnonzero(known)
    cut = np.minimum(np.maximum(records.boxes[rows], 0), limit[rows])
    good = (cut[:, 2:] > cut[:, :2]).all(axis=1)
    boxes = records.boxes[rows] if records.amodal else cut
    rows, boxes = rows[good], boxes[good]
    order = np.argsort(records.image[rows], kind="stable")
    rows, boxes = rows[order], boxes[order]
    image = records.image[rows]
    counts = np.bincount(image, minlength=len(records))
    return Objects(rows, image, records.labels[rows], boxes, counts)


def limits(records: Records) -> Floats:
    """Return ``[K, 4]`` width, height, width, height of each annotation's image; NaN for none."""
    wide = np.concatenate([records.sizes, np.full((1, 2), np.nan)])  # row -1: no image
    return wide[records.image][:, [1, 0, 1, 0]]
