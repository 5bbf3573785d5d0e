"""Drawing of boxes and their labels on an image, readable at any size."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from otadet.texts import drawable

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]
Labels = Literal["auto", "off"]
"""What is written beside boxes, see :func:`draw_boxes`."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GOLDEN = 0.618033988749895
_LETTERS = 100  # of a class name; a longer one fits into no image
_SMALLEST = 0.3
"""Scale of the smallest font that can be read."""
_SIDE_OF_SCALE = 90
"""Longer side of an object, pixels, beside which a font of scale 1 is in proportion."""
_LABELS = 12
_TRIED = 2000  # boxes that a label is tried at
_LABELLED_SHARE = 0.12
"""Beyond :data:`_LABELS` labels, no more of the image is covered by them: a crowd stays visible."""


def class_color(index: int) -> Color:
    """Choose the RGB colour of a class: fixed, neighbouring classes far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb((0.02 + index * _GOLDEN) % 1.0, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def line_width(image: Image) -> int:
    """Choose the width of a line that is visible on this image, pixels."""
    return max(1, round(int(min(image.shape[:2])) / 240))


def draw_boxes(
    image: Image,
    boxes: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    scores: Tensor | None = None,
    text: Labels = "auto",
    width: int | None = None,
) -> Image:
    """Draw boxes, class names and scores on a copy of the image.

    Args:
        image: ``[H, W, 3]`` uint8 RGB.
        boxes: ``[N, 4]`` xyxy, pixels of the image.
        labels: ``[N]`` int64 class indices.
        class_names: by index.
        scores: ``[N]``, or ``None`` for ground truth. Higher scores are drawn over lower ones, and
            their labels are placed first; labels do not cover each other.
        text: ``off`` draws boxes alone; ``auto`` names too, where many objects are there only for
            those that are large enough for it.
        width: of the lines, pixels; ``None`` takes one that fits the image and the object.
    """
    canvas = np.ascontiguousarray(image).copy()
    order = range(len(boxes)) if scores is None else scores.argsort().tolist()
    corners: list[list[int]] = boxes.round().int().tolist()
    names = labels.tolist()
    for index in order:
        x1, y1, x2, y2 = corners[index]
        thin = min(line_width(image), max(1, min(x2 - x1, y2 - y1) // 10))
        cv2.rectangle(canvas, (x1, y1), (x2, y2), class_color(names[index]), width or thin)
    if text == "off":
        return canvas
    scale = _text_scale(image, len(boxes))
    taken: list[_Place] = []
    room = _LABELLED_SHARE * image.shape[0] * image.shape[1]
    for index in list(reversed(order))[:_TRIED]:  # the best is placed first
        if room < 0 and len(taken) >= _LABELS:
            break
        mine = _object_scale(scale, corners[index], len(boxes))
        if mine is None:
            continue
        words = drawable(class_names[names[index]][:_LETTERS])
        if scores is not None:
            words += f" {float(scores[index]):.2f}"
        place = _free_place(canvas, words, mine, corners[index], taken)
        if place is not None:
            taken.append(place)
            room -= (place.right - place.left) * (place.bottom - place.top)
            _label(canvas, words, mine, place, class_color(names[index]))
    return canvas


def _text_scale(image: Image, count: int) -> float:
    """Scale of the font: by the image's size, smaller in a crowd, never unreadable."""
    crowd = min(1.0, max(0.65, math.sqrt(20 / max(count, 1))))
    return max(_SMALLEST, int(min(image.shape[:2])) / 1100 * crowd)


def _object_scale(scale: float, corners: Sequence[int], count: int) -> float | None:
    """Scale of an object's font: a label is no monument over a small object.

    ``None`` where a readable one would be larger than the object, and there are many objects.
    """
    x1, y1, x2, y2 = corners
    fitting = max(x2 - x1, y2 - y1) / _SIDE_OF_SCALE
    if fitting >= scale:
        return scale
    if fitting < _SMALLEST and count > _LABELS:
        return None
    return max(_SMALLEST, fitting)


class _Place(NamedTuple):
    """A label's rectangle, pixels; ``base`` is the baseline's distance from its bottom."""

    left: int
    top: int
    right: int
    bottom: int
    base: int

    def meets(self, other: _Place) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def _free_place(
    canvas: Image, text: str, scale: float, corners: Sequence[int], taken: Sequence[_Place]
) -> _Place | None:
    """Find the first place of a label inside the image and on no other label.

    Above the box, inside it at the top or bottom, and below it are tried. In a crowd there may be
    none; then only the colour of the box tells its class.
    """
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = corners
    (text_width, text_height), below = cv2.getTextSize(text, _FONT, scale, _stroke(scale))
    wide, high = text_width + 2, text_height + below + 2
    last = (max(0, width - wide), max(0, height - high))
    lefts = [min(max(x, 0), last[0]) for x in (x1, x2 - wide)]
    inside = (y1 + 1, y2 - high) if y2 - y1 > 3 * high else ()  # not where it hides the object
    tops = [y for y in (y1 - high, *inside, y2 + 1) if 0 <= y <= last[1]]
    for top in tops or [min(max(y1, 0), last[1])]:
        for left in lefts:
            place = _Place(left, top, left + wide, top + high, below)
            if not any(place.meets(other) for other in taken):
                return place
    return None


def _stroke(scale: float) -> int:
    return max(1, round(scale * 1.6))


def _label(canvas: Image, text: str, scale: float, place: _Place, color: Color) -> None:
    corner = (place.right, place.bottom)
    cv2.rectangle(canvas, (place.left, place.top), corner, color, -1)
    dark = sum(c * w for c, w in zip(color, (0.299, 0.587, 0.114))) > 140
    ink = (0, 0, 0) if dark else (255, 255, 255)
    start = (place.left + 1, place.bottom - place.base - 1)
    cv2.putText(canvas, text, start, _FONT, scale, ink, _stroke(scale), cv2.LINE_AA)


_LONGEST = 16_000
"""Pixels: two images side by side fit into a JPEG, whose limit is 65,500."""


def viewable(image: Image, shortest: int) -> tuple[Image, float]:
    """Scale an image up to a shorter side of ``shortest``; returns the image and the factor.

    The longer side stays below 16,000 pixels; a longer one is scaled down.
    """
    height, width = image.shape[:2]
    factor = min(max(1.0, shortest / min(height, width)), _LONGEST / max(height, width))
    if factor == 1.0:
        return image, 1.0
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8), factor


def side_by_side(left: Image, right: Image, titles: tuple[str, str]) -> Image:
    """Place two images of one size side by side, each under its title."""
    gap = np.full((left.shape[0] + _bar(left), 6, 3), 255, np.uint8)
    return np.concatenate([titled(left, titles[0]), gap, titled(right, titles[1])], axis=1)


def titled(image: Image, title: str, bar: int | None = None) -> Image:
    """Add a white bar with a title above an image; letters shrink where it would not fit.

    Args:
        image: ``[H, W, 3]`` uint8 RGB.
        title: one line, ASCII.
        bar: pixels of its height; ``None`` takes an eighteenth of the image's.
    """
    height, width = image.shape[:2]
    bar = bar or _bar(image)
    canvas = np.full((height + bar, width, 3), 255, np.uint8)
    canvas[bar:] = image
    scale = bar / 38
    scale *= min(1.0, (width - 12) / max(1, cv2.getTextSize(title, _FONT, scale, 1)[0][0]))
    place = (6, round(bar * 0.72))
    cv2.putText(canvas, title, place, _FONT, scale, (30, 30, 30), 1, cv2.LINE_AA)
    return canvas


def _bar(image: Image) -> int:
    return max(24, int(image.shape[0]) // 18)
