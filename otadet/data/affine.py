"""Affine maps of images: draw at random, compose, and warp straight into the output."""

from __future__ import annotations

from math import ceil, cos, floor, radians, sin, sqrt, tan
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from otadet.geometry import Size

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Rect = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


class Affine(NamedTuple):
    """The map ``x' = xx * x + xy * y + x0``, ``y' = yx * x + yy * y + y0``.

    Coordinates are continuous: 0 is the outer edge of the first pixel. (OpenCV counts from the
    first pixel's centre; only :func:`paint` knows that.) Plain numbers, since arrays of six cost
    more time than the images of a small network.
    """

    xx: float
    xy: float
    x0: float
    yx: float
    yy: float
    y0: float

    def after(self, first: Affine) -> Affine:
        """Return the composition: ``first``, then this map."""
        return Affine(
            self.xx * first.xx + self.xy * first.yx,
            self.xx * first.xy + self.xy * first.yy,
            self.xx * first.x0 + self.xy * first.y0 + self.x0,
            self.yx * first.xx + self.yy * first.yx,
            self.yx * first.xy + self.yy * first.yy,
            self.yx * first.x0 + self.yy * first.y0 + self.y0,
        )

    @property
    def determinant(self) -> float:
        """Factor of areas, negative for a mirror image."""
        return self.xx * self.yy - self.xy * self.yx

    @property
    def zoom(self) -> float:
        """Factor of lengths, averaged over directions."""
        return sqrt(abs(self.determinant))

    def inverse(self) -> Affine:
        """Return the inverse map.

        Raises:
            ZeroDivisionError: there is none.
        """
        d = self.determinant
        xx, xy, yx, yy = self.yy / d, -self.xy / d, -self.yx / d, self.xx / d
        return Affine(xx, xy, -xx * self.x0 - xy * self.y0, yx, yy, -yx * self.x0 - yy * self.y0)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Map one point."""
        return self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0

    def hull(self, rect: Rect) -> Rect:
        """Return the axis-aligned rectangle around the mapped corners of one."""
        x, y = self.point((rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2)
        wide, tall = (rect[2] - rect[0]) / 2, (rect[3] - rect[1]) / 2
        half_x = abs(self.xx) * wide + abs(self.xy) * tall
        half_y = abs(self.yx) * wide + abs(self.yy) * tall
        return x - half_x, y - half_y, x + half_x, y + half_y

    def hulls(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Apply :meth:`hull` to many rectangles: corners ``[2, N]`` float64, x and y in rows."""
        turn = np.array([[self.xx, self.xy], [self.yx, self.yy]])
        middle = turn @ ((low + high) / 2) + np.array([[self.x0], [self.y0]])
        half = np.abs(turn) @ ((high - low) / 2)
        return middle - half, middle + half


def scaling(x: float, y: float, left: float = 0.0, top: float = 0.0) -> Affine:
    """Multiply by ``x`` and ``y``, then move by ``left`` and ``top``."""
    return Affine(x, 0.0, left, 0.0, y, top)


def mirror(width: float) -> Affine:
    """Mirror an image of ``width`` pixels left to right."""
    return scaling(-1, 1, width, 0)


def random_affine(
    rng: np.random.Generator,
    size: Size,
    degrees: float,
    translate: float,
    scale: tuple[float, float],
    shear: float,
) -> Affine:
    """Draw YOLOX's random map (``get_affine_matrix``): rotate, scale, shear, move.

    Args:
        rng: source of the five numbers.
        size: height and width of the output.
        degrees: largest angle.
        translate: largest move as a share of the output's sides.
        scale: smallest and largest factor.
        shear: largest shear along each axis, degrees.
    """
    angle, factor = radians(rng.uniform(-degrees, degrees)), rng.uniform(*scale)
    shear_x, shear_y = (tan(radians(rng.uniform(-shear, shear))) for _ in range(2))
    move_x, move_y = (rng.uniform(-translate, translate) * side for side in size[::-1])
    a, b = factor * cos(angle), factor * sin(angle)
    return Affine(
        a - shear_y * b, b + shear_y * a, move_x, shear_x * a - b, shear_x * b + a, move_y
    )


def region(rect: Rect, matrix: Affine, size: Size) -> tuple[int, int, int, int] | None:
    """Return the output pixels x1, y1, x2, y2 that ``rect`` can reach in ``size``, or None."""
    x1, y1, x2, y2 = matrix.hull(rect)
    left, top = max(0, floor(x1)), max(0, floor(y1))
    right, bottom = min(size[1], ceil(x2)), min(size[0], ceil(y2))
    return (left, top, right, bottom) if left < right and top < bottom else None


def paint(canvas: Image, image: Image, matrix: Affine, rect: Rect) -> None:
    """Warp the part ``rect`` of an image into a canvas, which is changed in place.

    Only the canvas's pixels that the part covers are computed, from only the source's pixels that
    they show. An image that becomes less than half as large is first averaged over 2 x 2 pixels,
    again and again, so that small things do not flicker; the rest is bilinear. Where the part ends
    the edge pixels go on, so two parts that touch leave no seam.

    Args:
        canvas: ``[H, W, 4]`` uint8, RGB and a channel without meaning: OpenCV 5 warps four
            channels in less than half the time of three.
        image: ``[h, w, 3]`` uint8 RGB.
        matrix: from the image's frame to the canvas's; may mirror, must have an inverse.
        rect: the part, pixels of the image.
    """
    into = region(rect, matrix, (canvas.shape[0], canvas.shape[1]))
    if into is None:
        return
    crop = _shown(image, matrix, rect, into)
    if crop is None:
        return
    left, top, right, bottom = crop
    blocks = 1
    while 2 * blocks <= min(1 / matrix.zoom, right - left, bottom - top):
        blocks *= 2
    four = cv2.cvtColor(_averaged(image, crop, blocks), cv2.COLOR_RGB2RGBA)
    moved = scaling(1, 1, -into[0], -into[1]).after(matrix)
    pixels = cv2.warpAffine(
        four,
        _between_centres(moved.after(scaling(blocks, blocks, left, top))),
        (into[2] - into[0], into[3] - into[1]),
        borderMode=cv2.BORDER_REPLICATE,
    )
    view = canvas[into[1] : into[3], into[0] : into[2]]
    cv2.copyTo(pixels, _mask(rect, moved, view), view)


def _averaged(image: Image, crop: tuple[int, int, int, int], blocks: int) -> Image:
    """Average ``blocks`` x ``blocks`` pixels (a power of two) of a part of an image into one.

    What the last blocks lack is taken from beyond the part, or repeats the image's edge.
    """
    left, top, right, bottom = crop
    if blocks == 1:
        return image[top:bottom, left:right]
    wide, tall = -(-(right - left) // blocks), -(-(bottom - top) // blocks)
    part = image[top : top + tall * blocks, left : left + wide * blocks]
    below, beside = tall * blocks - part.shape[0], wide * blocks - part.shape[1]
    if below or beside:
        full = cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        part = np.asarray(full, np.uint8)
    # Halving twice takes OpenCV a quarter of the time of averaging over 3 x 3 or 4 x 4.
    while part.shape[1] > wide:
        half = (part.shape[1] // 2, part.shape[0] // 2)
        part = np.asarray(cv2.resize(part, half, interpolation=cv2.INTER_AREA), np.uint8)
    return part


def _shown(
    image: Image, matrix: Affine, rect: Rect, into: tuple[int, int, int, int]
) -> tuple[int, int, int, int] | None:
    """The source's pixels that can be seen, with what bilinear reads beside them."""
    x1, y1, x2, y2 = matrix.inverse().hull(into)
    near = 1 + max(1.0, 1 / matrix.zoom)
    left = max(0, floor(rect[0]), floor(x1 - near))
    top = max(0, floor(rect[1]), floor(y1 - near))
    right = min(image.shape[1], ceil(rect[2]), ceil(x2 + near))
    bottom = min(image.shape[0], ceil(rect[3]), ceil(y2 + near))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _between_centres(matrix: Affine) -> Floats:
    """``[2, 3]``: the same map for coordinates that are 0 at the first pixel's centre."""
    x0, y0 = matrix.point(0.5, 0.5)
    return np.array([[*matrix[:2], x0 - 0.5], [*matrix[3:5], y0 - 0.5]])


def _mask(rect: Rect, matrix: Affine, view: Image) -> Image:
    """255 where the mapped rectangle is."""
    x1, y1, x2, y2 = rect
    corners = [matrix.point(x, y) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]
    # Eight bits of fraction; 0.5 is the first pixel's centre. OpenCV
    # fills each pixel that is touched, so a part reaches up to one pixel too far, never too short.
    fixed = [(round((x - 0.5) * 256), round((y - 0.5) * 256)) for x, y in corners]
    mask = np.zeros(view.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.array(fixed, np.int32), 255, lineType=cv2.LINE_8, shift=8)
    return mask
