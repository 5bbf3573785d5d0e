"""One picture of a data set as a layer of a new one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from otadet.data.affine import Affine, Image, Rect, paint, region, scaling
from otadet.data.base import Dataset, load_reduced
from otadet.data.visible import Keep, Objects, join, map_objects
from otadet.geometry import Size, letterbox
from otadet.types import Sample

Placement = Callable[[Size], tuple[Affine, Rect]]
"""From a picture's height and width to the map of its pixels into the output, and the part of it
that is used."""


def blank(size: Size, fill: int) -> Image:
    """``[H, W, 4]`` uint8 of one grey value, for :func:`~otadet.data.affine.paint`."""
    return np.full((*size, 4), fill, np.uint8)


def fitted(image: Size, size: Size) -> tuple[Affine, Size]:
    """The map of :func:`~otadet.geometry.letterbox` from a picture into ``size``, and its size
    then."""
    fit = letterbox(image, size)
    return scaling(fit[1] / image[1], fit[0] / image[0]), fit


def draw_layer(
    canvas: Image, dataset: Dataset, index: int, place: Placement, keep: Keep
) -> Objects:
    """Paint image ``index`` where ``place`` says and return its objects there.

    A picture that would not be seen is not opened.

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
    """The same map and part for the pixels of a sample that may be smaller than its original."""
    x, y = sample.geometry.scale
    own = (rect[0] * x, rect[1] * y, rect[2] * x, rect[3] * y)
    return matrix.after(scaling(1 / x, 1 / y)), own


def halvings(factor: float) -> int:
    """The largest of 1, 2, 4, 8 by which a picture can be shrunk before a resize by ``factor``
    without a loss."""
    return max(k for k in (1, 2, 4, 8) if k == 1 or k * factor <= 1)


def pick_with_objects(dataset: Dataset, rng: np.random.Generator, tries: int = 20) -> int | None:
    """An image drawn evenly among those with objects; None where none was found."""
    for _ in range(tries):
        index = int(rng.integers(len(dataset)))
        if len(dataset.truth(index)):
            return index
    return None
