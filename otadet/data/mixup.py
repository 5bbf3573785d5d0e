"""MixUp for detection (Zhang et al. 2017), as YOLOX's recipe has it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from otadet.data.affine import Affine, Image, Rect, mirror, scaling
from otadet.data.base import Dataset
from otadet.data.box_filter import BoxFilter, Objects, join
from otadet.data.canvas import blank_canvas, fitted, paint_image, pick_with_objects
from otadet.data.turns import Turn
from otadet.geometry import Size


def mixup(
    canvas: Image,
    dataset: Dataset,
    rng: np.random.Generator,
    scale: tuple[float, float],
    outer: Affine,
    fill: int,
    keep: BoxFilter,
    turn: Turn,
) -> Objects:
    """Replace a canvas's pixels, in place, by their mean with those of another image.

    The other image is one with objects. It is fit into the output's size, the whole is resized
    by a factor drawn from ``scale`` and mirrored in half of the cases; a larger one is cropped at
    random, a smaller one filled up. YOLOX fills up with black; here it is ``fill`` everywhere.

    Args:
        canvas: ``[H, W, 4]`` uint8.
        dataset: where the other image comes from.
        rng: source of randomness.
        scale: smallest and largest factor.
        outer: what happens to the output as a whole, for example a mirror.
        fill: grey value around the image.
        keep: which of the objects are kept.
        turn: of the other image before all else.

    Returns:
        The other image's objects; empty where the data set seems to have no objects.
    """
    size = (canvas.shape[0], canvas.shape[1])
    factor, flipped = float(rng.uniform(*scale)), bool(rng.random() < 0.5)
    page = (max(1, int(size[0] * factor)), max(1, int(size[1] * factor)))
    top, left = (int(rng.integers(max(1, p - s))) for p, s in zip(page, size))
    index = pick_with_objects(dataset, rng)
    if index is None:
        return join([])
    placement = _Page(size, page, (left, top), flipped, outer)
    other = blank_canvas(size, fill)
    objects = paint_image(other, dataset, index, turn.placed(placement), keep)
    cv2.addWeighted(canvas, 0.5, other, 0.5, 0, dst=canvas)
    return objects


@dataclass(frozen=True, eq=False)
class _Page:
    """Placement of the other image: fit into ``size``, resized to ``page``, mirrored, cropped."""

    size: Size
    page: Size
    corner: tuple[int, int]
    flipped: bool
    outer: Affine

    def __call__(self, image: Size) -> tuple[Affine, Rect]:
        fit, _ = fitted(image, self.size)
        matrix = scaling(self.page[1] / self.size[1], self.page[0] / self.size[0]).after(fit)
        if self.flipped:
            matrix = mirror(self.page[1]).after(matrix)
        matrix = scaling(1, 1, -self.corner[0], -self.corner[1]).after(matrix)
        return self.outer.after(matrix), (0.0, 0.0, float(image[1]), float(image[0]))
