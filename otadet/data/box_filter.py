"""Map boxes with an augmentation and decide which objects stay positives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otadet.data.affine import Affine, Rect
from otadet.errors import InputError
from otadet.geometry import Size
from otadet.types import Sample

Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BoxFilter:
    """Rule for which mapped objects stay objects.

    An object of which nothing is left is removed. Of the others one is kept where

    - at least ``min_visible`` of its mapped box is inside the part of the image that is used
      and inside the output, and
    - both sides of what is left are at least ``min_side`` pixels, and
    - it was not cut, or what is left is at most ``max_aspect`` times as long as wide (an object
      that is thin by nature stays).

    Any other becomes an ignore region and counts as dropped.

    Of amodal data (:class:`~otadet.geometry.Geometry`) only the part of an object inside its own
    image counts, and an object that is kept keeps its whole box, clipped nowhere.

    Raises:
        InputError: a number is out of range.
    """

    min_visible: float = 0.2
    min_side: float = 2.0
    max_aspect: float = 20.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_visible <= 1:
            raise InputError(f"min_visible: expected 0 to 1, got {self.min_visible}")
        if self.min_side < 0 or self.max_aspect < 1:
            raise InputError(
                f"min_side, max_aspect: expected at least 0 and 1, got {self.min_side} and "
                f"{self.max_aspect}"
            )


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of an image that is being composed.

    Attributes:
        boxes: ``[G, 4]`` float32 xyxy, output frame.
        labels: ``[G]`` int64.
        ignore_boxes: ``[I, 4]`` float32 xyxy, output frame.
        dropped: objects that became ignore regions.
    """

    boxes: Boxes
    labels: npt.NDArray[np.int64]
    ignore_boxes: Boxes
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.boxes)


def join(parts: Sequence[Objects]) -> Objects:
    """Concatenate the objects of several parts of an image."""
    none = np.zeros((0, 4), np.float32)
    return Objects(
        np.concatenate([none, *(p.boxes for p in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(p.labels for p in parts)]),
        np.concatenate([none, *(p.ignore_boxes for p in parts)]),
        sum(p.dropped for p in parts),
    )


def map_objects(sample: Sample, matrix: Affine, rect: Rect, size: Size, rule: BoxFilter) -> Objects:
    """Map a sample's objects with its part ``rect`` into an output of ``size``.

    A box becomes the upright one around its four mapped corners.

    Args:
        sample: boxes in the frame of its own image.
        matrix: from that frame to the output's.
        rect: the part of the image that is used, same frame.
        size: height and width of the output.
        rule: which objects are kept.
    """
    boxes, share = _cut(_in_image(sample), matrix, rect, size)
    sides = boxes[:, 2:] - boxes[:, :2]
    short, long = sides.min(axis=1), sides.max(axis=1)
    kept = (share >= rule.min_visible) & (short >= rule.min_side) & (short > 0)
    kept &= (share > 1 - 1e-4) | (long <= rule.max_aspect * short)
    lost = (short > 0) & ~kept
    learned = _mapped(sample.boxes, matrix) if sample.geometry.amodal else boxes
    ignored, _ = _cut(sample.ignore_boxes, matrix, rect, size)
    ignored = ignored[(ignored[:, 2:] > ignored[:, :2]).all(axis=1)]
    return Objects(
        learned[kept],
        sample.labels[kept],
        np.concatenate([ignored, boxes[lost]]),
        int(lost.sum()),
    )


def _in_image(sample: Sample) -> Boxes:
    """Return the boxes, those of amodal data clipped to their own image."""
    if not sample.geometry.amodal:
        return sample.boxes
    height, width = sample.image.shape[:2]
    return np.clip(sample.boxes, 0, np.array([width, height, width, height], np.float32))


def _mapped(boxes: Boxes, matrix: Affine) -> Boxes:
    corners = boxes.astype(np.float64).T
    return np.concatenate(matrix.hulls(corners[:2], corners[2:])).T.astype(np.float32)


def _cut(
    boxes: Boxes, matrix: Affine, rect: Rect, size: Size
) -> tuple[Boxes, npt.NDArray[np.float64]]:
    """Return mapped boxes clipped to part and output, and the share of each that is left."""
    if not len(boxes):
        return np.zeros((0, 4), np.float32), np.zeros(0)
    corners = boxes.astype(np.float64).T
    low, high = corners[:2], corners[2:]
    first, last = np.array([[rect[0]], [rect[1]]]), np.array([[rect[2]], [rect[3]]])
    within = [np.minimum(np.maximum(each, first), last) for each in (low, high)]
    # A box beside the part is clipped to a line, whose hull has an area after a rotation.
    there = (within[0] < within[1]).all(axis=0)
    end = np.array([[size[1]], [size[0]]])
    seen = [np.minimum(np.maximum(each, 0), end) for each in matrix.hulls(*within)]
    whole = matrix.hulls(low, high)
    share = there * _area(*seen) / np.maximum(_area(*whole), 1e-9)
    return (np.concatenate(seen) * there).T.astype(np.float32), share


def _area(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sides = high - low
    area: npt.NDArray[np.float64] = sides[0] * sides[1]
    return area
