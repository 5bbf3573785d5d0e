"""Vertical flips and quarter turns: augmentation of images from above, which have no upright."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from otadet.data.affine import Affine, Image, Rect, scaling
from otadet.data.canvas import Placement
from otadet.geometry import Geometry, Size
from otadet.types import Sample

_ROTATE = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True)
class Turn:
    """Mirror image top to bottom, then quarter turns clockwise.

    Attributes:
        mirrored: whether it is mirrored.
        quarters: 0 to 3.
    """

    mirrored: bool = False
    quarters: int = 0

    def size(self, image: Size) -> Size:
        """Return height and width of an image of this size afterwards."""
        return image[::-1] if self.quarters % 2 else image

    def affine(self, image: Size) -> Affine:
        """Return the map of an image's pixels to the turned image."""
        matrix = scaling(1, -1, 0, image[0]) if self.mirrored else scaling(1, 1)
        for quarter in range(self.quarters):
            height = image[quarter % 2]
            matrix = Affine(0, -1, height, 1, 0, 0).after(matrix)
        return matrix

    def __call__(self, sample: Sample) -> Sample:
        """Turn a sample that is not cropped or mirrored yet.

        Its geometry maps to the original image turned in the same way.
        """
        if self == Turn():
            return sample
        g = sample.geometry
        original = Geometry.identity(self.size(g.image_size), g.amodal)
        return replace(
            sample,
            image=self._pixels(sample.image),
            boxes=self._boxes(sample.boxes, g.input_size),
            ignore_boxes=self._boxes(sample.ignore_boxes, g.input_size),
            geometry=original.resized(self.size(g.input_size)),
        )

    def placed(self, place: Placement) -> Placement:
        """Return the placement of an image that is turned before ``place`` lays it out."""
        if self == Turn():
            return place

        def turned(image: Size) -> tuple[Affine, Rect]:
            matrix, rect = place(self.size(image))
            own = self.affine(image)
            return matrix.after(own), own.inverse().hull(rect)

        return turned

    def _pixels(self, image: Image) -> Image:
        if self.mirrored:
            image = np.asarray(cv2.flip(image, 0), np.uint8)
        return np.asarray(cv2.rotate(image, _ROTATE[self.quarters])) if self.quarters else image

    def _boxes(self, boxes: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
        x1, y1, x2, y2 = boxes.T
        if self.mirrored:
            y1, y2 = size[0] - y2, size[0] - y1
        for quarter in range(self.quarters):
            height = np.float32(size[quarter % 2])
            x1, y1, x2, y2 = height - y2, x1, height - y1, x2
        return np.stack([x1, y1, x2, y2], axis=1)


@dataclass(frozen=True)
class RandomTurn:
    """Transform: a random :class:`Turn`, the first of a sample's transforms.

    Attributes:
        flip_vertical: probability of a mirror image top to bottom.
        quarter_turns: probability of a turn by 90, 180 or 270 degrees, as likely each.
    """

    flip_vertical: float = 0.0
    quarter_turns: float = 0.0

    def draw(self, rng: np.random.Generator) -> Turn:
        """Draw a turn; what has no probability draws no number."""
        mirrored = self.flip_vertical > 0 and rng.random() < self.flip_vertical
        turned = self.quarter_turns > 0 and rng.random() < self.quarter_turns
        return Turn(bool(mirrored), int(rng.integers(1, 4)) if turned else 0)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return self.draw(rng)(sample)
