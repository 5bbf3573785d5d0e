"""Summary statistics of a split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from otadet.data.annotation_table import Floats
from otadet.data.records import Records
from otadet.doctor.config import DoctorConfig
from otadet.doctor.crowding import Crowding, measure_crowding
from otadet.doctor.objects import Objects
from otadet.doctor.overlaps import Overlaps, suppressed_by_nms

_QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)


@dataclass(frozen=True)
class Statistics:
    """Statistics of a split; a list of five is min, 10 %, 50 %, 90 % quantile and max.

    Attributes:
        pictures: number of images.
        objects: number of usable objects.
        ignored: number of ignore regions.
        classes: objects by class.
        heights: of the images, pixels.
        widths: of the images, pixels.
        objects_a_picture: objects by image, over all images.
        sides: square root of an object's area, pixels of the image.
        input_sides: the same at the network's input size.
        neighbour_iou: largest IoU of an object with another one of its image.
        overlapping: share of objects for which that is over 0.5.
        merged: objects that NMS would suppress although each was detected with its exact box;
            ``None`` for soft-NMS.
        input_side_for_90: smallest square input at which 90 % of the objects are as wide and high
            as the finest stride.
        crowding: points that several objects claim; ``None`` where it was not measured.
    """

    pictures: int
    objects: int
    ignored: int
    classes: dict[str, int]
    heights: list[float]
    widths: list[float]
    objects_a_picture: list[float]
    sides: list[float]
    input_sides: list[float]
    neighbour_iou: list[float]
    overlapping: float
    merged: int | None
    input_side_for_90: int | None
    crowding: Crowding | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def compute_statistics(
    records: Records, objects: Objects, overlaps: Overlaps, config: DoctorConfig, crowds: bool
) -> Statistics:
    """Compute the statistics of a split; ``crowds`` measures crowding too."""
    known = records.sizes[np.isfinite(records.sizes).all(axis=1)]
    sizes = records.sizes[objects.image]
    box_sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
    sides = np.sqrt(np.prod(box_sides, axis=1))
    threshold = config.nms_threshold
    counts = np.bincount(objects.labels, minlength=len(records.names)).tolist()
    return Statistics(
        pictures=len(records),
        objects=len(objects.rows),
        ignored=int(records.ignored.sum()),
        classes=dict(zip(records.names, counts)),
        heights=_quantiles(known[:, 0]),
        widths=_quantiles(known[:, 1]),
        objects_a_picture=_quantiles(objects.counts.astype(np.float64)),
        sides=_quantiles(sides),
        input_sides=_quantiles(sides * config.zoom(sizes)),
        neighbour_iou=_quantiles(overlaps.largest),
        overlapping=float((overlaps.largest > 0.5).mean()) if len(overlaps.largest) else 0.0,
        merged=None if threshold is None else len(suppressed_by_nms(objects, overlaps, threshold)),
        input_side_for_90=_input_side(sizes, box_sides.min(axis=1), min(config.strides)),
        crowding=measure_crowding(records, objects, config) if crowds else None,
    )


def _quantiles(values: Floats) -> list[float]:
    return np.quantile(values, _QUANTILES).round(3).tolist() if len(values) else []


def _input_side(sizes: Floats, shorter: Floats, stride: int) -> int | None:
    """Square letterbox side at which 90 % of the objects are at least ``stride`` wide and high."""
    if not len(shorter):
        return None
    wanted = np.quantile(stride * sizes.max(axis=1) / shorter, 0.9)
    return int(-(-wanted // 32) * 32)
