"""Images that are read window by window, so that memory does not hold them whole."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from otadet.data.exif import SWAPPED, oriented
from otadet.geometry import Size

Image = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in whole pixels."""

IN_MEMORY = 1 << 25
"""Pixels of the largest image that is decoded at once where windows would do: 100 MB."""

STRIP_PIXELS = 1 << 22
"""Pixels that are held at a time of an image that is read from top to bottom."""


class WindowedImage(Protocol):
    """An RGB image of any size that gives its pixels by windows."""

    @property
    def size(self) -> Size:
        """Height and width, upright."""
        ...

    def read(self, box: Box) -> Image:
        """Read the window ``box``, which lies inside the image, as ``[H, W, 3]`` uint8 RGB.

        Raises:
            InputError: the file is damaged there.
        """
        ...


@dataclass(frozen=True, eq=False)
class ArrayImage:
    """An image ``[H, W, 3]`` uint8 RGB in memory, as a windowed one; windows are views."""

    pixels: Image

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def read(self, box: Box) -> Image:
        """Return the window."""
        left, top, right, bottom = box
        return self.pixels[top:bottom, left:right]


def as_windowed(image: Image | WindowedImage) -> WindowedImage:
    """Return an array as a windowed image, and a windowed image as it is."""
    return ArrayImage(image) if isinstance(image, np.ndarray) else image


def as_array(image: Image | WindowedImage) -> Image:
    """Return all pixels ``[H, W, 3]`` of an image that memory holds."""
    if isinstance(image, np.ndarray):
        return image
    height, width = image.size
    return image.read((0, 0, width, height))


@dataclass(frozen=True, eq=False)
class UprightImage:
    """An image that EXIF turns or mirrors, window by window.

    Attributes:
        stored: the pixels as they are stored.
        orientation: of EXIF, 1 to 8.
    """

    stored: WindowedImage
    orientation: int

    @property
    def size(self) -> Size:
        """Height and width, upright."""
        size = self.stored.size
        return size[::-1] if self.orientation in SWAPPED else size

    def read(self, box: Box) -> Image:
        """Read the stored window and turn it upright."""
        left, top, right, bottom = box
        height, width = self.size
        if self.orientation in (2, 3, 6, 7):
            left, right = width - right, width - left
        if self.orientation in (3, 4, 7, 8):
            top, bottom = height - bottom, height - top
        swap = self.orientation in SWAPPED
        window = (top, left, bottom, right) if swap else (left, top, right, bottom)
        return oriented(self.stored.read(window), self.orientation)


def strips(size: Size, multiple: int = 1) -> list[Box]:
    """Divide an image into windows of full width, top to bottom.

    Args:
        size: of the image.
        multiple: of the windows' heights, but for the last one's.
    """
    height, width = size
    rows = max(1, STRIP_PIXELS // max(1, width * multiple)) * multiple
    return [(0, top, width, min(top + rows, height)) for top in range(0, height, rows)]


def overview(image: WindowedImage, most: int = IN_MEMORY) -> tuple[Image, int]:
    """Return the whole image and how many times it is shrunk: not at all where memory has it.

    Else so that it has at most ``most`` pixels. Each is the mean of a whole block; rows and columns
    that fill no block are left away.
    """
    height, width = image.size
    factor = max(1, ceil(sqrt(height * width / most)))
    if factor == 1 or isinstance(image, ArrayImage):
        return as_array(image), 1
    wide = max(1, width // factor)
    small = np.empty((max(1, height // factor), wide, 3), np.uint8)
    for left, top, right, bottom in strips((len(small) * factor, width), factor):
        strip = image.read((left, top, min(right, wide * factor), min(bottom, height)))
        target = small[top // factor : bottom // factor]
        cv2.resize(strip, target.shape[1::-1], dst=target, interpolation=cv2.INTER_AREA)
    return small, factor
