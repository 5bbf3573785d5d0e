"""Affine maps of pictures: drawn at random, composed, and painted straight into the output.

A matrix is ``[2, 3]`` float64 and maps continuous coordinates: 0 is the outer edge of the first
pixel. OpenCV counts from the first pixel's centre; only :func:`paint` knows that.
"""

from __future__ import annotations

from math import ceil, cos, floor, radians, sin, sqrt, tan

import cv2
import numpy as np
import numpy.typing as npt

from otadet.geometry import Size

Matrix = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
Rect = tuple[float, float, float, float]
"""x1, y1, x2, y2."""

_BORDER = 2  # pixels: bilinear reads no further outside a picture than that, see paint


def scaling(x: float, y: float, left: float = 0.0, top: float = 0.0) -> Matrix:
    """Multiply by ``x`` and ``y``, then move by ``left`` and ``top``."""
    return np.array([[x, 0, left], [0, y, top]], np.float64)


def mirror(width: float) -> Matrix:
    """Left to right, for a picture of ``width`` pixels."""
    return scaling(-1, 1, width, 0)


def compose(second: Matrix, first: Matrix) -> Matrix:
    """The map that does ``first`` and then ``second``."""
    linear = second[:, :2] @ first[:, :2]
    moved = second[:, :2] @ first[:, 2:] + second[:, 2:]
    return np.concatenate([linear, moved], axis=1)


def inverse(matrix: Matrix) -> Matrix:
    """The map back.

    Raises:
        numpy.linalg.LinAlgError: there is none.
    """
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)


def zoom(matrix: Matrix) -> float:
    """Square root of the factor of areas."""
    return sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def random_affine(
    rng: np.random.Generator,
    size: Size,
    degrees: float,
    translate: float,
    scale: tuple[float, float],
    shear: float,
) -> Matrix:
    """YOLOX's random map (``get_affine_matrix``): turn and scale about the origin, shear, move.

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
    turn = factor * np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    linear = np.array([[1, shear_y], [shear_x, 1]]) @ turn
    return np.concatenate([linear, [[move_x], [move_y]]], axis=1)


def hull(boxes: npt.NDArray[np.floating], matrix: Matrix) -> npt.NDArray[np.float64]:
    """``[N, 4]`` xyxy that enclose the four mapped corners of boxes ``[N, 4]``."""
    boxes = boxes.astype(np.float64)
    low, high = boxes[:, :2], boxes[:, 2:]
    centre = (low + high) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (high - low) / 2 @ np.abs(matrix[:, :2]).T
    return np.concatenate([centre - half, centre + half], axis=1)


def region(rect: Rect, matrix: Matrix, size: Size) -> tuple[int, int, int, int] | None:
    """The pixels x1, y1, x2, y2 of an output of ``size`` that ``rect`` can reach; None for none."""
    x1, y1, x2, y2 = hull(np.array([rect]), matrix)[0].tolist()
    left, top = max(0, floor(x1)), max(0, floor(y1))
    right, bottom = min(size[1], ceil(x2)), min(size[0], ceil(y2))
    return (left, top, right, bottom) if left < right and top < bottom else None


def paint(canvas: Image, image: Image, matrix: Matrix, rect: Rect) -> None:
    """Warp the part ``rect`` of a picture into a canvas, which is changed in place.

    Only the canvas's pixels that the part covers are computed, from only the source's pixels that
    they show. A picture that becomes less than half as large is first averaged over whole blocks
    of pixels, so that small things do not flicker; the rest is bilinear. Where the part ends the
    edge pixels go on, so two parts that touch leave no seam.

    Args:
        canvas: ``[H, W, 4]`` uint8, RGB and a channel without meaning: OpenCV 5 warps four
            channels in less than half the time of three.
        image: ``[h, w, 3]`` uint8 RGB.
        matrix: from the picture's frame to the canvas's; may mirror, must have an inverse.
        rect: the part, pixels of the picture.
    """
    into = region(rect, matrix, (canvas.shape[0], canvas.shape[1]))
    if into is None:
        return
    crop = _shown(image, matrix, rect, into)
    if crop is None:
        return
    left, top, right, bottom = crop
    blocks = max(1, min(floor(1 / zoom(matrix)), right - left, bottom - top))
    wide, tall = (right - left) // blocks, (bottom - top) // blocks
    part = image[top : top + tall * blocks, left : left + wide * blocks]
    small = cv2.resize(part, (wide, tall), interpolation=cv2.INTER_AREA) if blocks > 1 else part
    four = cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)
    source = cv2.copyMakeBorder(four, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_REPLICATE)
    back = scaling(blocks, blocks, left - _BORDER * blocks, top - _BORDER * blocks)
    moved = compose(scaling(1, 1, -into[0], -into[1]), matrix)
    pixels = cv2.warpAffine(
        source, _between_centres(compose(moved, back)), (into[2] - into[0], into[3] - into[1])
    )
    view = canvas[into[1] : into[3], into[0] : into[2]]
    cv2.copyTo(pixels, _mask(rect, moved, view), view)


def _shown(
    image: Image, matrix: Matrix, rect: Rect, into: tuple[int, int, int, int]
) -> tuple[int, int, int, int] | None:
    """The source's pixels that can be seen, with what bilinear reads beside them."""
    x1, y1, x2, y2 = hull(np.array([into]), inverse(matrix))[0].tolist()
    near = 1 + max(1.0, 1 / zoom(matrix))
    left = max(0, floor(rect[0]), floor(x1 - near))
    top = max(0, floor(rect[1]), floor(y1 - near))
    right = min(image.shape[1], ceil(rect[2]), ceil(x2 + near))
    bottom = min(image.shape[0], ceil(rect[3]), ceil(y2 + near))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _between_centres(matrix: Matrix) -> Matrix:
    """The same map for coordinates that are 0 at the first pixel's centre."""
    linear = matrix[:, :2]
    return np.concatenate([linear, linear.sum(1, keepdims=True) / 2 + matrix[:, 2:] - 0.5], axis=1)


def _mask(rect: Rect, matrix: Matrix, view: Image) -> Image:
    """255 where the mapped rectangle is."""
    x1, y1, x2, y2 = rect
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) @ matrix[:, :2].T + matrix[:, 2]
    # Eight bits of fraction; 0.5 is the first pixel's centre, and what is half covered counts.
    fixed = np.rint((corners - 0.5) * 256).astype(np.int32)
    mask = np.zeros(view.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, fixed, 255, lineType=cv2.LINE_8, shift=8)
    return mask
