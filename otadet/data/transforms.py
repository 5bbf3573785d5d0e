"""Geometric transforms: resize, letterbox, flip, crop. Pure functions of a sample.

Every function moves the pixels, the boxes and the sample's geometry together and leaves the
sample it was given as it is. Those that draw take a numpy generator. A *step* is the same with
its settings bound: a frozen dataclass, so that it prints, compares and pickles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from otadet import geometry
from otadet.geometry import Size
from otadet.types import Sample

Transform = Callable[[Sample, np.random.Generator], Sample]
"""Transform of a sample with a random generator."""

MIN_VISIBLE = 0.3
"""Share of an object that must be left of it in a crop or tile for it to learn there."""

PAD = 114
"""Grey value around an image, YOLOX's."""


def resize(sample: Sample, size: Size) -> Sample:
    """Resize a sample to ``size`` (height, width), bilinear."""
    height, width = sample.image.shape[:2]
    if (height, width) == size:
        return sample
    fx, fy = size[1] / width, size[0] / height
    factor = np.array([fx, fy, fx, fy], np.float32)
    image = cv2.resize(sample.image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return replace(
        sample,
        image=np.asarray(image, np.uint8),
        boxes=sample.boxes * factor,
        ignore_boxes=sample.ignore_boxes * factor,
        geometry=sample.geometry.resized(size),
    )


def resize_shortest(sample: Sample, short: int, longest: int) -> Sample:
    """Resize the shorter side to ``short`` pixels, the longer to no more than ``longest``."""
    return resize(sample, geometry.shortest_edge(_size(sample), short, longest))


def letterbox(sample: Sample, size: Size, fill: int = PAD) -> Sample:
    """Fit the image into ``size`` (height, width), top left, and fill the rest with ``fill``.

    The last step of its kind: a padded sample can no longer be flipped or cropped.
    """
    small = resize(sample, geometry.letterbox(_size(sample), size))
    height, width = small.image.shape[:2]
    image = np.full((*size, 3), fill, np.uint8)
    image[:height, :width] = small.image
    return replace(small, image=image)


def flip(sample: Sample, rng: np.random.Generator, p: float = 0.5) -> Sample:
    """Mirror left to right with probability ``p``."""
    if rng.random() >= p:
        return sample
    width = _size(sample)[1]
    return replace(
        sample,
        image=np.asarray(cv2.flip(sample.image, 1), np.uint8),  # numpy takes fifty times as long
        boxes=_mirrored(sample.boxes, width),
        ignore_boxes=_mirrored(sample.ignore_boxes, width),
        geometry=sample.geometry.flipped(),
    )


def scale_jitter(
    sample: Sample, rng: np.random.Generator, shorts: tuple[int, int], longest: int
) -> Sample:
    """Apply :func:`resize_shortest` with a shorter side drawn from ``shorts``, ends included."""
    return resize_shortest(sample, int(rng.integers(shorts[0], shorts[1] + 1)), longest)


def random_crop(
    sample: Sample,
    rng: np.random.Generator,
    smallest: float = 0.5,
    min_visible: float = MIN_VISIBLE,
) -> Sample:
    """Cut out a window whose sides are ``smallest`` to 1 of the image's, each drawn alone.

    Objects as in :func:`crop`.
    """
    height, width = _size(sample)
    tall = max(1, round(height * rng.uniform(smallest, 1)))
    wide = max(1, round(width * rng.uniform(smallest, 1)))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return crop(sample, left, top, (tall, wide), min_visible)


def crop(sample: Sample, left: int, top: int, size: Size, min_visible: float) -> Sample:
    """Cut out a window of ``size`` (height, width).

    Boxes are cut at the window's border. An object of which less than ``min_visible`` is left
    becomes an ignore region, neither learned nor punished, and counts as dropped. Of amodal data
    (:class:`~otadet.geometry.Geometry`) only the part inside the image counts for that, and
    boxes stay whole.
    """
    tall, wide = size
    amodal = sample.geometry.amodal
    there = inside(sample.boxes, _size(sample)) if amodal else sample.boxes
    boxes, visible = cut(there, left, top, size)
    learned = sample.boxes - np.array([left, top] * 2, np.float32) if amodal else boxes
    ignored = _cut(sample.ignore_boxes, left, top, size)
    hidden = boxes[(visible > 0) & (visible < min_visible)]
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[top : top + tall, left : left + wide]),
        boxes=learned[visible >= min_visible],
        labels=sample.labels[visible >= min_visible],
        ignore_boxes=np.concatenate([ignored[_areas(ignored) > 0], hidden]),
        geometry=sample.geometry.cropped(left, top, size),
        dropped=sample.dropped + len(hidden),
    )


def _size(sample: Sample) -> Size:
    """Return the size of an image, which must not be padded yet."""
    size = sample.image.shape[0], sample.image.shape[1]
    if size != sample.geometry.input_size:
        raise ValueError(
            f"image id {sample.image_id}: expected an image without padding, got {size} with "
            f"an image of {sample.geometry.input_size} inside; letterbox must be the last step"
        )
    return size


def _mirrored(boxes: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    mirrored = boxes[:, [2, 1, 0, 3]]
    mirrored[:, [0, 2]] = width - mirrored[:, [0, 2]]
    return mirrored


def inside(boxes: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
    """Return the parts of boxes ``[N, 4]`` inside an image of ``size``."""
    return _cut(boxes, 0, 0, size)


def cut(
    boxes: npt.NDArray[np.float32], left: int, top: int, size: Size
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Cut boxes ``[N, 4]`` at a window; their parts in its frame, and the share ``[N]`` of each."""
    parts = _cut(boxes, left, top, size)
    share: npt.NDArray[np.float32] = _areas(parts) / _areas(boxes).clip(np.float32(1e-6))
    return parts, share


def _cut(
    boxes: npt.NDArray[np.float32], left: int, top: int, size: Size
) -> npt.NDArray[np.float32]:
    moved = boxes - np.array([left, top, left, top], np.float32)
    return np.clip(moved, 0, np.array([size[1], size[0], size[1], size[0]], np.float32))


def _areas(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


@dataclass(frozen=True)
class Compose:
    """Transforms one after the other."""

    steps: tuple[Transform, ...] = ()

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        for step in self.steps:
            sample = step(sample, rng)
        return sample


@dataclass(frozen=True)
class ResizeShortest:
    """Transform: :func:`resize_shortest`."""

    short: int
    longest: int

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return resize_shortest(sample, self.short, self.longest)


@dataclass(frozen=True)
class Letterbox:
    """Transform: :func:`letterbox`."""

    size: Size
    fill: int = PAD

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return letterbox(sample, self.size, self.fill)


@dataclass(frozen=True)
class Flip:
    """Transform: :func:`flip`."""

    p: float = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return flip(sample, rng, self.p)


@dataclass(frozen=True)
class ScaleJitter:
    """Transform: :func:`scale_jitter`."""

    shorts: tuple[int, int]
    longest: int

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return scale_jitter(sample, rng, self.shorts, self.longest)


@dataclass(frozen=True)
class RandomCrop:
    """Transform: :func:`random_crop`, taken with probability ``p``."""

    p: float = 0.5
    smallest: float = 0.5
    min_visible: float = 0.3

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        if rng.random() >= self.p:
            return sample
        return random_crop(sample, rng, self.smallest, self.min_visible)
