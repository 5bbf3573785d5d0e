"""Copy-paste augmentation with boxes (after Ghiasi et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otadet.boxes import intersection
from otadet.data.affine import Image, paint, scaling
from otadet.data.base import Dataset
from otadet.data.box_filter import BoxFilter, Objects, join, map_objects
from otadet.data.canvas import fitted, pick_with_objects
from otadet.data.turns import Turn
from otadet.errors import InputError
from otadet.types import Sample

Boxes = npt.NDArray[np.float32]

_TRIES = 16  # places tried for one object; crowded images have few free ones


@dataclass(frozen=True)
class CopyPaste:
    """Settings of copy-paste, box by box, since detection data have no masks.

    An object is pasted only where it hides no more than ``max_hidden`` of the box of any object
    that is there, summed over all pastes; so those stay objects with their whole boxes, as
    annotators draw them. What else lies in the pasted rectangle comes along: an object of which
    enough is in it (:class:`~otadet.data.box_filter.BoxFilter`) as an object, the rest as ignore
    regions.

    Attributes:
        most: up to so many objects an image, the number drawn evenly from 1.
        max_hidden: share of an object that may be hidden.
        scale: smallest and largest factor, beside that of fitting the image into the output.

    Raises:
        InputError: a number is out of range.
    """

    most: int = 10
    max_hidden: float = 0.2
    scale: tuple[float, float] = (0.5, 1.5)

    def __post_init__(self) -> None:
        if self.most < 1:
            raise InputError(f"most: expected at least 1, got {self.most}")
        if not 0 <= self.max_hidden <= 1:
            raise InputError(f"max_hidden: expected 0 to 1, got {self.max_hidden}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise InputError(f"scale: expected 0 < low <= high, got {self.scale}")


def copy_paste(
    canvas: Image,
    objects: Objects,
    dataset: Dataset,
    rng: np.random.Generator,
    rule: CopyPaste,
    keep: BoxFilter,
    turn: Turn,
) -> Objects:
    """Paste objects of one other image into a canvas, in place.

    Args:
        canvas: ``[H, W, 4]`` uint8.
        objects: those that are in it.
        dataset: where the other image comes from.
        rng: source of randomness.
        rule: how many, how large and where.
        keep: which of the objects that come along are kept.
        turn: of the other image before all else.

    Returns:
        All objects, the pasted ones last.
    """
    index = pick_with_objects(dataset, rng)
    if index is None:
        return objects
    sample = turn(dataset.load(index))
    height, width = sample.image.shape[:2]
    # What amodal boxes have beyond the image cannot be cut out.
    inside = np.clip(sample.boxes, 0, np.array([width, height, width, height], np.float32))
    count = min(int(rng.integers(1, rule.most + 1)), len(inside))
    hidden = np.zeros(len(objects), np.float64)
    for chosen in rng.permutation(len(inside))[:count].tolist():
        patch = _patch(canvas, sample, inside[chosen], rng, rule, keep)
        if patch is None:
            continue
        corner, size = patch
        places = _places(rng, (canvas.shape[1], canvas.shape[0]), size)
        covered = hidden + _covered(objects.boxes, places)
        free = np.flatnonzero((covered <= rule.max_hidden).all(axis=1))
        if not len(free):
            continue
        pasted = _paste(canvas, sample, corner, places[free[0]], keep)
        hidden = np.concatenate([covered[free[0]], np.zeros(len(pasted))])
        objects = join([objects, pasted])
    return objects


def _patch(
    canvas: Image,
    sample: Sample,
    box: Boxes,
    rng: np.random.Generator,
    rule: CopyPaste,
    keep: BoxFilter,
) -> tuple[Boxes, tuple[int, int]] | None:
    """Return the box to cut out and its width and height in the output.

    None where it is too small or takes more than half of a side.
    """
    height, width = canvas.shape[:2]
    fit, _ = fitted((sample.image.shape[0], sample.image.shape[1]), (height, width))
    factor = fit.xx * float(rng.uniform(*rule.scale))
    wide, tall = (round(float(side) * factor) for side in box[2:] - box[:2])
    if min(wide, tall) < max(4.0, keep.min_side) or wide > width / 2 or tall > height / 2:
        return None
    return box, (wide, tall)


def _places(rng: np.random.Generator, output: tuple[int, int], size: tuple[int, int]) -> Boxes:
    """Draw boxes ``[T, 4]`` xyxy of ``size`` (width, height) in the output, on whole pixels."""
    low = rng.integers(0, np.subtract(output, size) + 1, (_TRIES, 2))
    return np.concatenate([low, low + size], axis=1).astype(np.float32)


def _covered(boxes: Boxes, places: Boxes) -> npt.NDArray[np.float64]:
    """Return the share ``[T, G]`` of each box that each place hides."""
    exact = boxes.astype(np.float64)
    overlap = intersection(places.astype(np.float64)[:, None], exact)
    return overlap / np.maximum(intersection(exact, exact), 1e-9)


def _paste(canvas: Image, sample: Sample, box: Boxes, place: Boxes, keep: BoxFilter) -> Objects:
    x1, y1, x2, y2 = box.tolist()
    left, top, right, bottom = place.tolist()
    fx, fy = (right - left) / (x2 - x1), (bottom - top) / (y2 - y1)
    matrix = scaling(fx, fy, left - x1 * fx, top - y1 * fy)
    paint(canvas, sample.image, matrix, (x1, y1, x2, y2))
    size = (canvas.shape[0], canvas.shape[1])
    return map_objects(sample, matrix, (x1, y1, x2, y2), size, keep)
