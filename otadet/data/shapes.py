"""Generated data set of crowded, overlapping shapes: nothing to download, any number of images.

Where every object lies is decided first and without colour (:func:`layout`), so the ground truth of
an image costs no rendering; :mod:`otadet.data.shapes_draw` paints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from otadet.data.shapes_draw import outline, paint
from otadet.errors import InputError
from otadet.geometry import Geometry, Size
from otadet.rng import generator
from otadet.types import GroundTruth, Sample

SHAPES = ("circle", "square", "triangle", "star", "cross")
"""Names of the classes."""

MIN_VISIBLE = 0.35
"""Smallest visible share of an object."""

_CELL = 2
"""Pixels of a cell of the map on which occlusion is measured."""

_LAYOUT, _PAINT = 0, 1  # the two streams of random numbers of an image


@dataclass(frozen=True, eq=False)
class Shape:
    """One object of a scene, image frame.

    Attributes:
        label: class index.
        outline: ``[P, 2]`` float32 corners, pixels.
        box: ``[4]`` float32 xyxy, the outline's bounds cut at the image's border.
    """

    label: int
    outline: npt.NDArray[np.float32]
    box: npt.NDArray[np.float32]


class ShapesDataset:
    """``count`` generated images, each a pure function of ``(seed, index)``.

    Objects have any colour and a slight rotation, so that only the outline tells the class. They
    overlap, later ones on top; at least 35 % of each can be seen.

    Args:
        count: number of images.
        seed: another seed is another data set.
        size: height and width, pixels.
        classes: some of :data:`SHAPES`, in the order of the class indices.
        crowding: 0 (objects apart, few) to 1 (many, most of them in clumps).
        object_size: smallest and largest width of an object before rotation, pixels.

    Raises:
        InputError: a setting is out of range, or a class is unknown.
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        size: Size = (256, 256),
        classes: Sequence[str] = SHAPES,
        crowding: float = 0.5,
        object_size: tuple[float, float] = (24.0, 96.0),
    ) -> None:
        unknown = [name for name in classes if name not in SHAPES]
        if unknown or not classes or len(set(classes)) != len(classes):
            raise InputError(
                f"shapes: classes: expected some of {list(SHAPES)}, each once, got {list(classes)}"
            )
        if count < 1:
            raise InputError(f"shapes: count: expected at least 1, got {count}")
        if not 0 <= crowding <= 1:
            raise InputError(f"shapes: crowding: expected 0 to 1, got {crowding}")
        if not 8 <= object_size[0] <= object_size[1] <= min(size):
            raise InputError(
                f"shapes: object_size: expected 8 <= smallest <= largest <= {min(size)} (the "
                f"image's shorter side), got {object_size}"
            )
        self._classes = tuple(classes)
        self._count = count
        self._seed = seed
        self._size = size
        self._crowding = crowding
        self._object_size = object_size
        # A crowded layout takes tens of milliseconds, which a cache of images would not save.
        self._truths: dict[int, GroundTruth] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the contiguous class indices."""
        return self._classes

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """``[N, 2]`` int64 height and width, the same for all."""
        return np.tile(np.array(self._size, np.int64), (self._count, 1))

    @property
    def skipped(self) -> dict[str, int]:
        """Nothing is left out."""
        return {}

    def __len__(self) -> int:
        return self._count

    def layout(self, index: int) -> list[Shape]:
        """Return the objects of an image from the lowest to the topmost.

        Raises:
            IndexError: there is no such image.
        """
        if not 0 <= index < self._count:
            raise IndexError(f"shapes: expected an index below {self._count}, got {index}")
        rng = generator(self._seed, index, _LAYOUT)
        return layout(rng, self._size, self._classes, self._crowding, self._object_size)

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the ground truth of an image without painting it; cached."""
        if index not in self._truths:
            self._truths[index] = self._truth(index)
        return self._truths[index]

    def _truth(self, index: int) -> GroundTruth:
        boxes, labels = _columns(self.layout(index))
        return GroundTruth(
            image_id=index + 1,
            file_name=f"{index:06d}.png",
            size=self._size,
            boxes=boxes,
            labels=labels,
            ignore_boxes=np.zeros((0, 4), np.float32),
            areas=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).astype(np.float64),
        )

    def load(self, index: int) -> Sample:
        """Paint an image."""
        shapes = self.layout(index)
        boxes, labels = _columns(shapes)
        rng = generator(self._seed, index, _PAINT)
        return Sample(
            image=paint(rng, self._size, [shape.outline for shape in shapes]),
            boxes=boxes,
            labels=labels,
            ignore_boxes=np.zeros((0, 4), np.float32),
            image_id=index + 1,
            geometry=Geometry.identity(self._size),
        )


def layout(
    rng: np.random.Generator,
    size: Size,
    classes: Sequence[str],
    crowding: float,
    object_size: tuple[float, float],
) -> list[Shape]:
    """Place objects one on top of the other until the image is as full as ``crowding`` states.

    A place is taken only where it leaves every object below visible enough.
    """
    height, width = size
    shapes: list[Shape] = []
    seen = _Seen(size)
    # Enough objects of middling width to cover 15 to 75 % of the image, give or take a third.
    typical = float(np.sqrt(object_size[0] * object_size[1]))
    cover = (0.15 + 0.6 * crowding) * rng.uniform(0.67, 1.33)
    wanted = max(1, round(cover * height * width / typical**2))
    for _ in range(8 * wanted):
        if len(shapes) >= wanted:
            break
        label = int(rng.integers(len(classes)))
        corners = _placed(rng, classes[label], size, crowding, object_size, shapes)
        if seen.add(corners):
            low, high = corners.min(axis=0), corners.max(axis=0)
            box = np.clip(np.concatenate([low, high]), 0, [width, height, width, height])
            shapes.append(Shape(label, corners, box.astype(np.float32)))
    return shapes


class _Seen:
    """Topmost object of each cell of a coarse map, and the visible share of each object."""

    def __init__(self, size: Size) -> None:
        self._top = np.full((-(-size[0] // _CELL), -(-size[1] // _CELL)), -1, np.int64)
        self._visible = np.zeros(0, np.int64)  # cells of each object
        self._needed = np.zeros(0)

    def add(self, corners: npt.NDArray[np.float32]) -> bool:
        """Put an object on top, unless too little of another would stay visible."""
        cells = np.round(corners / _CELL).astype(np.int32)
        low, high = np.maximum(cells.min(axis=0), 0), cells.max(axis=0) + 1
        under = self._top[low[1] : high[1], low[0] : high[0]]
        mask = np.zeros(under.shape, np.uint8)
        cv2.fillPoly(mask, [cells - low], 1)
        covered = under[mask > 0]
        hidden = np.bincount(covered[covered >= 0], minlength=len(self._visible))
        visible = np.append(self._visible - hidden, len(covered))
        area = cv2.contourArea(corners) / _CELL**2
        needed = np.append(self._needed, MIN_VISIBLE * area)
        if (visible < needed).any():
            return False
        under[mask > 0] = len(self._visible)
        self._visible, self._needed = visible, needed
        return True


def _placed(
    rng: np.random.Generator,
    name: str,
    size: Size,
    crowding: float,
    object_size: tuple[float, float],
    others: Sequence[Shape],
) -> npt.NDArray[np.float32]:
    """Corners of a new object somewhere, or close to one of the others where it is crowded."""
    height, width = size
    low, high = np.log(object_size)
    wide = float(np.exp(rng.uniform(low, high)))  # as many small ones as large ones
    tall = float(np.clip(wide * rng.uniform(0.8, 1.25), *object_size))
    corners = outline(name, wide, tall, float(rng.uniform(-0.35, 0.35)))
    margin = 0.35 * wide
    centre = rng.uniform((margin, margin), (width - margin, height - margin))
    if others and rng.random() < crowding:
        near = others[int(rng.integers(len(others)))].box
        step = rng.normal(0, 0.45, 2) * (near[2:] - near[:2] + (wide, tall)) / 2
        centre = np.clip(
            (near[:2] + near[2:]) / 2 + step, margin, (width - margin, height - margin)
        )
    return (corners + centre).astype(np.float32)


def _columns(shapes: Sequence[Shape]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    boxes = np.array([shape.box for shape in shapes], np.float32).reshape(-1, 4)
    return boxes, np.array([shape.label for shape in shapes], np.int64)
