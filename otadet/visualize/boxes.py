"""Boxes and their labels on a picture, readable at any size."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GOLDEN = 0.618033988749895


def class_color(index: int) -> Color:
    """RGB colour of a class: always the same, neighbours far apart on the colour circle."""
    red, green, blue = colorsys.hsv_to_rgb((0.02 + index * _GOLDEN) % 1.0, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def line_width(image: Image) -> int:
    """Width of a line that is visible on this picture, pixels."""
    return max(1, round(int(min(image.shape[:2])) / 250))


def draw_boxes(
    image: Image,
    boxes: Tensor,
    labels: Tensor,
    class_names: Sequence[str],
    scores: Tensor | None = None,
) -> Image:
    """A copy of the picture with boxes, class names and scores.

    Args:
        image: ``[H, W, 3]`` uint8 RGB.
        boxes: ``[N, 4]`` xyxy, pixels of the picture.
        labels: ``[N]`` int64 class indices.
        class_names: by index.
        scores: ``[N]``, or ``None`` for the truth. Higher scores are drawn over lower ones.
    """
    canvas = np.ascontiguousarray(image).copy()
    order = range(len(boxes)) if scores is None else scores.argsort().tolist()
    corners = boxes.round().int().tolist()
    names = labels.tolist()
    for index in order:
        color = class_color(names[index])
        x1, y1, x2, y2 = corners[index]
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, line_width(image))
    for index in order:
        text = class_names[names[index]]
        if scores is not None:
            text += f" {float(scores[index]):.2f}"
        _label(canvas, text, corners[index][0], corners[index][1], class_color(names[index]))
    return canvas


def _label(canvas: Image, text: str, x: int, y: int, color: Color) -> None:
    height, width = canvas.shape[:2]
    scale = max(0.3, min(height, width) / 1100)
    stroke = max(1, round(scale * 1.6))
    (text_width, text_height), base = cv2.getTextSize(text, _FONT, scale, stroke)
    x = max(0, min(x, width - text_width - 2))
    # Above the box where there is room, else just inside it.
    top = y - text_height - base - 2
    top = top if top >= 0 else min(max(y, 0) + 1, height - text_height - base - 2)
    cv2.rectangle(canvas, (x, top), (x + text_width + 2, top + text_height + base + 2), color, -1)
    dark = sum(c * w for c, w in zip(color, (0.299, 0.587, 0.114))) > 140
    ink = (0, 0, 0) if dark else (255, 255, 255)
    cv2.putText(
        canvas, text, (x + 1, top + text_height + 1), _FONT, scale, ink, stroke, cv2.LINE_AA
    )


def enlarged(image: Image, shortest: int) -> tuple[Image, float]:
    """The picture, scaled up if its shorter side has fewer pixels than that, and the factor."""
    factor = max(1.0, shortest / min(image.shape[:2]))
    if factor == 1.0:
        return image, 1.0
    resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8), factor


def side_by_side(left: Image, right: Image, titles: tuple[str, str]) -> Image:
    """Two pictures of one size next to each other, each under its title."""
    height, width = left.shape[:2]
    bar = max(24, height // 18)
    canvas = np.full((height + bar, 2 * width + 6, 3), 255, np.uint8)
    canvas[bar:, :width] = left
    canvas[bar:, width + 6 :] = right
    scale = bar / 38
    for title, x in zip(titles, (6, width + 12)):
        cv2.putText(
            canvas, title, (x, round(bar * 0.72)), _FONT, scale, (30, 30, 30), 1, cv2.LINE_AA
        )
    return canvas
