"""Paint images of a data set into the canvas of a new one (mosaic, mixup, copy-paste)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from otadet.data.affine import Affine, Image, Rect, paint, region, scaling
from otadet.data.base import Dataset, load_reduced
from otadet.data.box_filter import BoxFilter, Objects, join, map_objects
from otadet.geometry import Size, letterbox
from otadet.types import Sample

Placement = Callable[[Size], tuple[Affine, Rect]]
"""Function from an image's height and width to the map of its pixels into the canvas, and the part
of it that is used."""


def blank_canvas(size: Size, fill: int) -> Image:
    """Make a canvas ``[H, W, 4]`` uint8 of one grey, for :func:`~otadet.data.affine.paint`."""
    return np.full((*size, 4), fill, np.uint8)


def fitted(image: Size, size: Size) -> tuple[Affine, Size]:
    """Return the map of :func:`~otadet.geometry.letterbox` into ``size`` and the resized size."""
    fit = letterbox(image, size)
    return scaling(fit[1] / image[1], fit[0] / image[0]), fit


def paint_image(
    canvas: Image, dataset: Dataset, index: int, place: Placement, keep: BoxFilter
) -> Objects:
    """Paint image ``index`` into a canvas, in place, and return its objects there.

    An image of which nothing would be visible is not opened.

    Raises:
        InputError: of the data set.
    """
    output = (canvas.shape[0], canvas.shape[1])
    height, width = dataset.sizes[index].tolist()
    matrix, rect = place((height, width))
    if region(rect, matrix, output) is None:
        return join([])
    sample = load_reduced(dataset, index, halvings(matrix.zoom))
    if sample.geometry.image_size != (height, width):  # another one in place of an unreadable one
        matrix, rect = place(sample.geometry.image_size)
    matrix, rect = in_own_frame(sample, matrix, rect)
    paint(canvas, sample.image, matrix, rect)
    return map_objects(sample, matrix, rect, output, keep)


def in_own_frame(sample: Sample, matrix: Affine, rect: Rect) -> tuple[Affine, Rect]:
    """Convert map and part from the original's pixels to those of a sample that may be smaller."""
    x, y = sample.geometry.scale
    own = (rect[0] * x, rect[1] * y, rect[2] * x, rect[3] * y)
    return matrix.after(scaling(1 / x, 1 / y)), own


def halvings(factor: float) -> int:
    """Return the largest of 1, 2, 4, 8 to shrink by without loss before a resize by ``factor``."""
    return max(k for k in (1, 2, 4, 8) if k == 1 or k * factor <= 1)


def pick_with_objects(dataset: Dataset, rng: np.random.Generator, tries: int = 20) -> int | None:
    """Draw an image with objects at random; None after ``tries`` images without any."""
    for _ in range(tries):
        index = int(rng.integers(len(dataset)))
        if len(dataset.ground_truth(index)):
            return index
    return None
