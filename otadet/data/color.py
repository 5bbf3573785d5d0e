"""Colour of the data path: jitter of hue, saturation and value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

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
    """The step of :func:`color_jitter`."""

    hue: float = 0.015
    saturation: float = 0.7
    value: float = 0.4

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return color_jitter(sample, rng, self.hue, self.saturation, self.value)
