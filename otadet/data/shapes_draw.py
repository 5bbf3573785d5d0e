"""Outlines and paint of the generated shapes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from otadet.geometry import Size

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SHIFT = 4  # OpenCV's corners count sixteenths of a pixel


def outline(name: str, width: float, height: float, angle: float) -> Floats:
    """Corners ``[P, 2]`` around the origin, pixels.

    Args:
        name: the shape.
        width: of the shape before rotation, pixels.
        height: of the shape before rotation, pixels.
        angle: rotation, radians.
    """
    corners = _unit(name) * (width / 2, height / 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(corners @ turn, np.float32)


def _unit(name: str) -> npt.NDArray[np.float64]:
    """Corners of a shape that fills -1 .. 1 both ways."""
    if name == "square":
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    elif name == "triangle":
        corners = np.array([[0, -1], [1, 1], [-1, 1]], float)
    elif name == "star":
        turn = np.arange(10) * np.pi / 5
        radius = np.where(np.arange(10) % 2 == 0, 1.0, 0.45)
        corners = np.stack([np.sin(turn), -np.cos(turn)], axis=1) * radius[:, None]
    elif name == "cross":
        a = 0.36
        corners = np.array(
            [[-a, -1], [a, -1], [a, -a], [1, -a], [1, a], [a, a],
             [a, 1], [-a, 1], [-a, a], [-1, a], [-1, -a], [-a, -a]], float,
        )  # fmt: skip
    else:
        turn = np.arange(48) * np.pi / 24
        corners = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.asarray((corners - (low + high) / 2) / ((high - low) / 2), np.float64)


def paint(rng: np.random.Generator, size: Size, outlines: Sequence[Floats]) -> Image:
    """An RGB picture ``[H, W, 3]`` uint8 of these outlines, the first one lowest."""
    canvas = _background(rng, size)
    for corners in outlines:
        _object(rng, canvas, corners)
    canvas += rng.standard_normal((*size, 1), np.float32) * 4  # the grain of a camera
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, size: Size) -> Floats:
    """Cloudy colours with faint strokes: no outline of a class, but not empty either."""
    height, width = size
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = rng.uniform(70, 170, 3)
    for cells, strength in ((3, 34), (9, 18), (32, 9)):
        rows = max(2, round(cells * height / max(size)))
        columns = max(2, round(cells * width / max(size)))
        noise = rng.normal(0, strength, (rows, columns, 3)).astype(np.float32)
        canvas += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(4, 10))):
        ends = np.round(rng.uniform(0, (width, height), (2, 2))).astype(int)
        shade = rng.uniform(-30, 30, 3) + canvas.mean(axis=(0, 1))
        cv2.line(
            canvas, ends[0].tolist(), ends[1].tolist(), shade.tolist(), int(rng.integers(1, 4))
        )
    return canvas


def _object(rng: np.random.Generator, canvas: Floats, corners: Floats) -> None:
    """Paint one object: its shadow, its fill with a little shading, and a dark rim."""
    height, width = canvas.shape[:2]
    span = corners.max(axis=0) - corners.min(axis=0)
    reach = 3 + round(0.08 * float(span.max()))
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - reach, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + reach, (width, height))
    into = canvas[low[1] : high[1], low[0] : high[0]]
    local = corners - low
    mask = _mask(local, into.shape[:2])

    shadow = cv2.GaussianBlur(_mask(local + 0.3 * reach, into.shape[:2]), (0, 0), reach / 3)
    into *= 1 - 0.45 * shadow[..., None]

    fill = _colour(rng, into.mean(axis=(0, 1)))
    y, x = np.mgrid[: into.shape[0], : into.shape[1]].astype(np.float32)
    direction = rng.normal(0, 1, 2)
    ramp = (x * direction[0] + y * direction[1]) / (np.linalg.norm(direction) * span.max())
    shade = 1 + 0.22 * (ramp - ramp.mean())
    into += mask[..., None] * (fill * shade[..., None] - into)

    rim = np.zeros(into.shape[:2], np.uint8)
    thick = max(1, round(0.03 * float(span.max())))
    points = np.round(local * 2**_SHIFT).astype(np.int32)
    cv2.polylines(rim, [points], True, 255, thick, cv2.LINE_AA, _SHIFT)
    inside = mask * (rim / np.float32(255))
    into *= 1 - 0.5 * inside[..., None]


def _mask(corners: Floats, size: Size) -> Floats:
    """How much of each pixel lies inside the outline, 0 to 1."""
    mask = np.zeros(size, np.uint8)
    points = np.round(corners * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, _SHIFT)
    return np.asarray(mask, np.float32) / np.float32(255)


def _colour(rng: np.random.Generator, around: Floats) -> Floats:
    """A saturated colour that stands out from what is around it."""
    colour = np.zeros(3, np.float32)
    for _ in range(6):
        hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0.35, 0.9), rng.uniform(0.45, 1)]]])
        colour = cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)[0, 0] * 255
        if np.abs(colour - around).sum() > 130:
            break
    return np.asarray(colour, np.float32)
