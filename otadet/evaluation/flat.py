"""Ground truth and detections of all images in flat arrays, and pairs of overlapping boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from otadet.boxes import intersection
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PAIRS = 1 << 22
"""Pairs of boxes that are compared at a time: an image with 20,000 objects and as many detections
would take 12 GB at once."""


class BoxTable(NamedTuple):
    """Boxes of many images, by rising image.

    Attributes:
        boxes: ``[N, 4]`` float64 xyxy, image frame.
        labels: ``[N]`` int64 class indices; -1 of a region is every class.
        image: ``[N]`` int64 index of the image in the data set.
    """

    boxes: Floats
    labels: Ints
    image: Ints

    @property
    def size(self) -> int:
        """Number of boxes ``N``."""
        return len(self.labels)


class Pairs(NamedTuple):
    """Overlapping boxes of two tables, by rising index of the first.

    Attributes:
        first: ``[P]`` int64 index into the first table.
        second: ``[P]`` int64 index into the second.
        iou: ``[P]`` float64.
    """

    first: Ints
    second: Ints
    iou: Floats

    def at(self, index: Bools | Ints | slice) -> Pairs:
        """Select or reorder pairs."""
        return Pairs(self.first[index], self.second[index], self.iou[index])


@dataclass(frozen=True, eq=False)
class Flat:
    """Input of an evaluation in flat arrays.

    Attributes:
        num_images: images of the data set, those without objects and detections too.
        num_classes: ``C``.
        objects: ground truth.
        regions: ignore regions.
        detections: by image, within an image by falling score (stable), so that of two detections
            of an image the one with the smaller index goes first.
        scores: ``[K]`` float32 of the detections.
    """

    num_images: int
    num_classes: int
    objects: BoxTable
    regions: BoxTable
    detections: BoxTable
    scores: npt.NDArray[np.float32]

    @staticmethod
    def of(
        gts: Sequence[GroundTruth], num_classes: int, columns: DetectionColumns, clip: bool = False
    ) -> Flat:
        """Flatten ground truth and detections.

        Args:
            gts: ground truth of every image, in the data set's order.
            num_classes: ``C``.
            columns: detections of those images only.
            clip: clip all boxes to their images, as CrowdHuman's code does.
        """
        place = {gt.image_id: index for index, gt in enumerate(gts)}
        image = np.array([place[i] for i in columns.image_ids.tolist()], np.int64)
        image = np.repeat(image, columns.counts)
        order = np.lexsort((-columns.scores, image))
        boxes = columns.boxes[order].astype(np.float64)
        tables = [
            _table([t.boxes for t in gts], [t.labels for t in gts]),
            _table([t.ignore_boxes for t in gts], [t.region_labels for t in gts]),
            BoxTable(boxes, columns.labels[order], image[order]),
        ]
        if clip:
            sizes = np.array([gt.size for gt in gts], np.float64).reshape(-1, 2)
            tables = [_cut(table, sizes) for table in tables]
        objects, regions, found = tables
        return Flat(
            num_images=len(gts),
            num_classes=num_classes,
            objects=objects,
            regions=regions,
            detections=found,
            scores=columns.scores[order],
        )

    @cached_property
    def inside(self) -> Floats:
        """``[K]`` :func:`share_inside` of the detections in the ignore regions."""
        return share_inside(self.detections, self.regions)

    @cached_property
    def by_class_and_score(self) -> Ints:
        """``[K]`` detections by class, and within one by falling score."""
        return np.lexsort((-self.scores, self.detections.labels))

    def objects_by_class(self) -> Ints:
        """Return ``[C]`` number of objects."""
        return np.bincount(self.objects.labels, minlength=self.num_classes)

    def detections_by_class(self) -> Ints:
        """Return ``[C]`` number of detections."""
        return np.bincount(self.detections.labels, minlength=self.num_classes)


def _table(boxes: Sequence[npt.NDArray[np.float32]], labels: Sequence[Ints]) -> BoxTable:
    counts = np.array([len(each) for each in labels], np.int64)
    return BoxTable(
        np.concatenate([np.zeros((0, 4)), *boxes]).astype(np.float64),
        np.concatenate([np.zeros(0, np.int64), *labels]),
        np.repeat(np.arange(len(counts)), counts),
    )


def _cut(table: BoxTable, sizes: Floats) -> BoxTable:
    """Clip boxes to their images, ``sizes [N, 2]`` height and width.

    The upper left corner stays a pixel away from the far border, as in the official code.
    """
    limit = sizes[table.image][:, [1, 0, 1, 0]] - np.array([1, 1, 0, 0])
    return table._replace(boxes=np.clip(table.boxes, 0, limit))


def overlapping(first: BoxTable, second: BoxTable, least: float = 0.5) -> Pairs:
    """Find all pairs of the same image with an IoU of at least ``least``, of any classes.

    The loop is over images, not over boxes, but for images of very many.
    """
    parts: list[Pairs] = []
    for a, b in _shared_images(first, second):
        overlap = intersection(first.boxes[a][:, None], second.boxes[b])
        union = _areas(first.boxes[a])[:, None] + _areas(second.boxes[b]) - overlap
        # Only a few of the quotients are needed, and those exactly.
        row, column = np.nonzero((overlap > 0.999 * least * union) & (overlap > 0))
        iou = overlap[row, column] / union[row, column]
        parts.append(Pairs(row + a.start, column + b.start, iou).at(iou >= least))
    none = np.zeros(0, np.int64)
    return Pairs(
        np.concatenate([none, *(part.first for part in parts)]),
        np.concatenate([none, *(part.second for part in parts)]),
        np.concatenate([np.zeros(0), *(part.iou for part in parts)]),
    )


def share_inside(boxes: BoxTable, regions: BoxTable) -> Floats:
    """Return ``[N]`` largest share of each box's area inside one region: the rule of crowd regions.

    A region covers boxes of its class, or of every class.
    """
    share = np.zeros(boxes.size)
    for a, b in _shared_images(boxes, regions):
        overlap = intersection(boxes.boxes[a][:, None], regions.boxes[b])
        mine = regions.labels[b][None]
        overlap[(mine != boxes.labels[a][:, None]) & (mine >= 0)] = 0
        area = np.maximum(_areas(boxes.boxes[a]), np.finfo(np.float64).tiny)
        share[a] = overlap.max(axis=1) / area
    return share


def _shared_images(first: BoxTable, second: BoxTable) -> list[tuple[slice, slice]]:
    """Rows of each image that has boxes in both tables, :data:`PAIRS` pairs at a time."""
    images = np.intersect1d(first.image, second.image)
    ends = [np.searchsorted(t.image, images, side) for t in (first, second)
            for side in ("left", "right")]  # fmt: skip
    rows = np.stack(ends, axis=1).tolist()
    return [
        (slice(first, min(first + count, b)), slice(c, d))
        for a, b, c, d in rows
        for count in [max(1, PAIRS // (d - c))]
        for first in range(a, b, count)
    ]


def _areas(boxes: Floats) -> Floats:
    return intersection(boxes, boxes)
