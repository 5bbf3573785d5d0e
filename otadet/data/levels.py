"""Brightness levels: how values of 16 bits, or any other kind, become bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from otadet.errors import InputError

Values = npt.NDArray[np.generic]
"""``[H, W, C]`` of any kind of number."""

ADVICE = "image_stretch=0.5,99.5 takes the values between these percentiles"
"""What to do about values that are no brightness."""

_CAMERA_BITS = (8, 10, 12, 14, 16)
_COUNTED = (np.uint8, np.uint16)
_MOST_SORTED = 1 << 22
_BLACK = 8
"""Of 255: an image whose values are below it, but for a hundredth, is black on any screen."""


@dataclass(frozen=True)
class Levels:
    """Linear map from values to bytes, a channel each: ``low`` to 0, ``high`` to just beyond 255.

    Attributes:
        low: value of the darkest byte.
        high: value from which on all are the brightest byte.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __call__(self, values: Values) -> npt.NDArray[np.uint8]:
        """Convert ``[H, W, C]``; what is no number becomes 0."""
        convert = self._look_up if values.dtype in _COUNTED else self._bytes
        result = np.empty(values.shape, np.uint8)
        for row, target in zip(values, result):  # without a copy of the whole
            target[:] = convert(row)
        return result

    def _look_up(self, row: Values) -> npt.NDArray[np.uint8]:
        columns = zip(self._tables, row.T)
        return np.stack([table.take(column, mode="clip") for table, column in columns], axis=1)

    @cached_property
    def _tables(self) -> npt.NDArray[np.uint8]:
        """``[C, 65536]``: the byte of every whole number of 16 bits."""
        numbers = np.broadcast_to(np.arange(1 << 16)[:, None], (1 << 16, len(self.low)))
        return self._bytes(numbers).T.copy()

    def _bytes(self, values: Values) -> npt.NDArray[np.uint8]:
        low, high = np.array(self.low), np.array(self.high)
        with np.errstate(all="ignore"):  # of what is no number
            scaled = (values.astype(np.float64) - low) * (256 / (high - low))
        return np.asarray(np.nan_to_num(np.clip(scaled, 0, 255), nan=0.0), np.uint8)

    @staticmethod
    def of(values: Values, stretch: tuple[float, float] | None, name: Path | str) -> Levels | None:
        """Find the levels of an image.

        Args:
            values: ``[H, W, C]``, all of them or a sample.
            stretch: see :class:`~otadet.data.image_options.ImageOptions`.
            name: of the file, for messages.

        Returns:
            ``None`` where values are bytes that stay as they are.

        Raises:
            InputError: without a stretch the values have no meaning as brightness, or are black.
        """
        if values.dtype.kind == "c":
            raise InputError(f"{name}: expected real numbers, got {values.dtype}")
        channels = values.shape[2]
        if stretch is not None:
            low, high = zip(*(_percentiles(values, each, stretch) for each in range(channels)))
            return Levels(low, high)
        if values.dtype == np.uint8:
            return None
        if values.dtype != np.uint16:
            raise InputError(
                f"{name}: expected pixels of 8 or 16 bits, got {values.dtype}; {ADVICE}"
            )
        bottom, top = _upper_bits(values, name)
        return Levels((bottom,) * channels, (top,) * channels)


def _upper_bits(values: Values, name: Path | str) -> tuple[float, float]:
    """Levels by the fewest bits of :data:`_CAMERA_BITS` that hold the largest value."""
    counts = _histogram(values.reshape(1, -1, 1), 0)
    used = int(np.flatnonzero(counts).max(initial=0)).bit_length()
    bits = next(each for each in _CAMERA_BITS if each >= used)
    lit = counts[1:].sum()  # without what is exactly 0, such as the margin of a turned image
    if lit and counts[1 : _BLACK << bits - 8].sum() > 0.99 * lit:
        raise InputError(
            f"{name}: 16 bits a channel with values up to {(1 << used) - 1}, but 99 % of them are "
            f"so small that the image would be black; {ADVICE}"
        )
    return 0.0, float(1 << bits)


def _percentiles(values: Values, channel: int, stretch: tuple[float, float]) -> tuple[float, float]:
    """The values of a channel that become 0 and just beyond 255."""
    if values.dtype in _COUNTED:
        total = _histogram(values, channel).cumsum()
        ranks = [max(1.0, share / 100 * total[-1]) for share in stretch]
        low, high = (float(each) for each in np.searchsorted(total, ranks))
        return low, high + 1
    column = values[..., channel].ravel()
    step = max(1, len(column) // _MOST_SORTED)
    with np.errstate(invalid="ignore"):
        numbers = np.asarray(column[::step], np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = np.percentile(finite, stretch).tolist() if len(finite) else (0.0, 1.0)
    return low, high if high > low else low + 1


def _histogram(values: Values, channel: int) -> npt.NDArray[np.float64]:
    """Return ``[65536]`` how often a channel has each number, without a copy of the values."""
    bins = 1 << 16
    counts = cv2.calcHist([values], [channel], None, [bins], [0, bins])  # type: ignore[list-item]
    return np.asarray(counts, np.float64).ravel()
