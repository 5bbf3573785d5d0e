"""Tiles: how a large image is cut into pieces that a network takes one by one.

One definition for all uses. Tiles overlap, and the last one of a row or column is moved in rather
than padded, so that every tile of a large image has its full size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from otadet.geometry import Size

SHRUNK = 2.0
"""How many times an image may be shrunk for the network before a user is told of tiles."""


class Tile(NamedTuple):
    """A piece of an image and the part of it that no other tile is nearer to.

    Attributes:
        box: left, top, right, bottom in pixels of the image.
        core: the same of the part inside the middle lines of the overlaps. The cores of an image's
            tiles cover it once. An object no larger than the overlap whose centre is in the core
            lies whole in the tile.
    """

    box: tuple[int, int, int, int]
    core: tuple[float, float, float, float]

    @property
    def size(self) -> Size:
        """Height and width."""
        left, top, right, bottom = self.box
        return bottom - top, right - left


@dataclass(frozen=True)
class Tiling:
    """Square tiles of ``size`` pixels of which neighbours share at least ``overlap``.

    Attributes:
        size: side of a tile in pixels of the image.
        overlap: in pixels; objects up to this size lie whole in at least one tile.

    Raises:
        ValueError: the overlap is not smaller than half of the size, or negative.
    """

    size: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap < self.size:
            raise ValueError(
                f"tiles of {self.size} px: expected an overlap of 0 to {(self.size - 1) // 2} px, "
                f"got {self.overlap}"
            )

    def tiles(self, image: Size) -> tuple[Tile, ...]:
        """Return the tiles of an image of this height and width, row by row.

        An image smaller than a tile is a single, smaller tile.
        """
        rows, columns = (self._spans(side) for side in image)
        return tuple(
            Tile((left, top, right, bottom), (c_left, c_top, c_right, c_bottom))
            for top, bottom, c_top, c_bottom in rows
            for left, right, c_left, c_right in columns
        )

    def _spans(self, length: int) -> list[tuple[int, int, float, float]]:
        """Return first and last pixel of each tile along a side, and those of its core."""
        step = self.size - self.overlap
        last = max(0, length - self.size)
        starts = [*range(0, last, step), last]
        ends = [min(start + self.size, length) for start in starts]
        # Between two neighbours the middle of what they share.
        cuts = [0.0, *((a + b) / 2 for a, b in zip(ends, starts[1:])), float(length)]
        return [(*each, low, high) for *each, low, high in zip(starts, ends, cuts, cuts[1:])]
