"""Draw the generated shapes: outlines, fills and background."""

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
    """Return the corners ``[P, 2]`` of the outline around the origin, in pixels.

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
    """Paint these outlines into an RGB image ``[H, W, 3]`` uint8, the first one lowest."""
    # Planes [3, H, W] while painting: numpy is several times faster with long rows.
    canvas = np.ascontiguousarray(_background(rng, size).transpose(2, 0, 1))
    for corners in outlines:
        _object(rng, canvas, corners)
    canvas += rng.standard_normal(size, np.float32) * 4  # the grain of a camera
    np.clip(canvas, 0, 255, out=canvas)
    return np.ascontiguousarray(canvas.astype(np.uint8).transpose(1, 2, 0))


def _background(rng: np.random.Generator, size: Size) -> Floats:
    """Cloudy colours with faint strokes: no outline of a class, but not empty either."""
    height, width = size
    # Clouds have no sharp edge, so a quarter of the resolution does, at a quarter of the time.
    clouds = np.empty((-(-height // 4), -(-width // 4), 3), np.float32)
    clouds[:] = rng.uniform(75, 170) + rng.normal(0, 14, 3)
    for cells, light, tint in ((3, 24, 12), (9, 13, 6), (40, 9, 2)):
        rows = max(2, round(cells * height / max(size)))
        columns = max(2, round(cells * width / max(size)))
        noise = rng.normal(0, light, (rows, columns, 1)) + rng.normal(0, tint, (rows, columns, 3))
        shape = clouds.shape[1], clouds.shape[0]
        clouds += cv2.resize(noise.astype(np.float32), shape, interpolation=cv2.INTER_CUBIC)
    canvas: Floats = cv2.resize(clouds, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    mean = np.array(cv2.mean(canvas)[:3])
    for _ in range(int(rng.integers(4, 10))):
        ends = np.round(rng.uniform(0, (width, height), (2, 2))).astype(int)
        shade = (mean + rng.uniform(-32, 32) + rng.uniform(-12, 12, 3)).tolist()
        thick = int(rng.integers(1, 4))
        cv2.line(canvas, ends[0].tolist(), ends[1].tolist(), shade, thick)
    return canvas


def _object(rng: np.random.Generator, canvas: Floats, corners: Floats) -> None:
    """Paint one object on planes: its shadow, its fill with a little shading, and a dark rim."""
    span = float((corners.max(axis=0) - corners.min(axis=0)).max())
    reach = 3 + round(0.08 * span)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - reach, 0)
    high = np.ceil(corners.max(axis=0)).astype(int) + reach
    into = canvas[:, low[1] : high[1], low[0] : high[0]]
    size = into.shape[1], into.shape[2]
    local = corners - low
    mask = _mask(local, size)
    shadow = cv2.GaussianBlur(_mask(local + 0.3 * reach, size), (0, 0), reach / 3)

    x = np.arange(size[1], dtype=np.float32) / span - 0.5
    y = np.arange(size[0], dtype=np.float32)[:, None] / span - 0.5
    turn = rng.uniform(0, 2 * np.pi)
    shade = 1 + np.float32(0.22) * (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn)))

    rim = np.zeros(size, np.uint8)
    points = np.round(local * 2**_SHIFT).astype(np.int32)
    cv2.polylines(rim, [points], True, 255, max(1, round(0.03 * span)), cv2.LINE_AA, _SHIFT)
    shade *= 1 - rim * np.float32(0.5 / 255)

    fill = _colour(rng, into.mean(axis=(1, 2)))
    into *= (1 - np.float32(0.45) * shadow) * (1 - mask)
    into += (mask * shade) * fill[:, None, None]


def _mask(corners: Floats, size: Size) -> Floats:
    """Coverage of each pixel by the outline, 0 to 1."""
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
