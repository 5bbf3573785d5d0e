"""Colour jitter of hue, saturation and value, by factors or by shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from otadet.types import Sample


def color_jitter(
    sample: Sample,
    rng: np.random.Generator,
    hue: float = 0.015,
    saturation: float = 0.7,
    value: float = 0.4,
) -> Sample:
    """Multiply hue, saturation and value by factors drawn evenly from ``1 - x .. 1 + x``.

    Three tables of 256 entries instead of arithmetic on every pixel. Hue goes round at 180, as
    OpenCV counts it.
    """
    factors = 1 + rng.uniform(-1, 1, 3) * (hue, saturation, value)
    levels = np.arange(256)[:, None] * factors
    levels[:, 0] %= 180
    table = np.clip(levels, 0, 255).astype(np.uint8)[None]
    changed = cv2.LUT(cv2.cvtColor(sample.image, cv2.COLOR_RGB2HSV), table)
    image = cv2.cvtColor(changed, cv2.COLOR_HSV2RGB)
    return replace(sample, image=np.asarray(image, np.uint8))


@dataclass(frozen=True)
class ColorJitter:
    """Transform: :func:`color_jitter`."""

    hue: float = 0.015
    saturation: float = 0.7
    value: float = 0.4

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return color_jitter(sample, rng, self.hue, self.saturation, self.value)


def hsv_shift(
    sample: Sample,
    rng: np.random.Generator,
    hue: float = 10.0,
    saturation: float = 30.0,
    value: float = 30.0,
) -> Sample:
    """Add to hue, saturation and value shifts drawn evenly from ``-x .. x``.

    Each in half of the cases only (YOLOX's ``augment_hsv``). Hue wraps around, the others are
    clipped to 0 and 255. Hue is counted in 256 steps a circle, so that bytes wrap by themselves:
    two additions instead of a table of three channels, which OpenCV looks up slower than it
    converts colours.

    Args:
        sample: whose image to change.
        rng: source of randomness.
        hue: degrees of the colour circle (YOLOX's 5 steps of 2).
        saturation: levels of 256.
        value: levels of 256.
    """
    drawn = rng.uniform(-1, 1, 3) * (hue * 256 / 360, saturation, value)
    shift = (drawn * rng.integers(0, 2, 3)).astype(np.int64)
    if not shift.any():
        return sample
    hsv = np.asarray(cv2.cvtColor(sample.image, cv2.COLOR_RGB2HSV_FULL), np.uint8)
    if shift[0]:
        hsv = hsv + _rows(hsv, [shift[0] % 256, 0, 0])
    if (shift[1:] > 0).any():
        cv2.add(hsv, _rows(hsv, [0, *np.maximum(shift[1:], 0)]), dst=hsv)
    if (shift[1:] < 0).any():
        cv2.subtract(hsv, _rows(hsv, [0, *np.maximum(-shift[1:], 0)]), dst=hsv)
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    return replace(sample, image=np.asarray(image, np.uint8))


def _rows(like: npt.NDArray[np.uint8], pixel: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Make an image of one colour; OpenCV adds arrays ten times as fast as three numbers."""
    flat = np.empty((like.shape[0], like.shape[1] * 3), np.uint8)
    flat[:] = np.tile(np.array(pixel, np.uint8), like.shape[1])
    return flat.reshape(like.shape)


@dataclass(frozen=True)
class HSVShift:
    """Transform: :func:`hsv_shift`."""

    hue: float = 10.0
    saturation: float = 30.0
    value: float = 30.0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Transform a sample."""
        return hsv_shift(sample, rng, self.hue, self.saturation, self.value)
