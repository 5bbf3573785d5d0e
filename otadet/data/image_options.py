"""Which pages and channels of an image file are read, and how its values become bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageOptions:
    """How the pixels of image files are read.

    Attributes:
        pages: of a TIFF file, from 0. The channels of several are put behind each other.
        channels: the one or three channels, from 0, that become grey or red, green and blue;
            ``None`` takes a file that has one or three of them, besides alpha.
        stretch: two percentiles. Of each channel the values between them become 0 to 255;
            ``None`` takes bytes as they are, and of 16 bits the upper 8 of those in use.

    Raises:
        ValueError: no page, another number of channels, or percentiles that do not rise.
    """

    pages: tuple[int, ...] = (0,)
    channels: tuple[int, ...] | None = None
    stretch: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.pages:
            raise ValueError("image_pages: expected at least one page, got none")
        if self.channels is not None and len(self.channels) not in (1, 3):
            raise ValueError(
                f"image_channels: expected one channel or three, got {len(self.channels)}"
            )
        if self.stretch is not None and not self.stretch[0] < self.stretch[1]:
            low, high = self.stretch
            raise ValueError(f"image_stretch: expected rising percentiles, got {low:g},{high:g}")

    @property
    def of_tiff(self) -> bool:
        """Whether pages or channels are chosen."""
        return self.pages != (0,) or self.channels is not None


PLAIN = ImageOptions()
"""The first page and its own channels, without a stretch."""
