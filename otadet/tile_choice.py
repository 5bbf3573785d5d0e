"""Choose tiles by the sizes of a training set's objects: ``tile=auto``, and the doctor's advice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from otadet.errors import InputError
from otadet.geometry import Size, zoom_factors
from otadet.tiling import Tiling

Numbers = npt.NDArray[Any]
Side = int | Literal["auto"] | None

SERVED = 4
"""Side of the objects that a network's finest level serves, in its strides: 32 px at stride 8, the
smallest anchor of RetinaNet (Lin et al. 2017) and half of the range of FCOS's finest level."""

ENLARGED = 2.0
"""How many times a tile is enlarged at most: it holds no more detail, and the time grows with the
square."""

GAIN = 1.5
"""How many times larger than in whole images objects have to come out in tiles to be worth it."""

_SIZE_STEP, _OVERLAP_STEP = 32, 8


@dataclass(frozen=True)
class TileChoice:
    """Tiles for a training set, and why.

    Attributes:
        tiling: the tiles; ``None`` where images are better taken whole.
        reason: one line with the numbers behind it.
    """

    tiling: Tiling | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"tiling": self.tiling and asdict(self.tiling), "reason": self.reason}


@dataclass(frozen=True)
class NetworkInput:
    """What of a network decides on the tiles.

    Attributes:
        resize: how an image or tile is brought to the input: ``letterbox`` or ``shortest``.
        size: height and width, or shorter side and limit of the longer one.
        stride: of the finest level, pixels of the input.
    """

    resize: str
    size: Size
    stride: int

    def zoom(self, sizes: Numbers) -> npt.NDArray[np.float64]:
        """Return ``[N]`` factor from images of ``sizes [N, 2]``, height and width, to the input."""
        return zoom_factors(sizes, self.resize, self.size)

    @property
    def side(self) -> float:
        """Side of a square image or tile in the input, pixels."""
        return float(self.zoom(np.ones((1, 2)))[0])


def choose_tiling(
    boxes: Numbers,
    images: Numbers,
    network: NetworkInput,
    tile: Side = "auto",
    overlap: Side = "auto",
) -> TileChoice:
    """Choose tiles in which the median object comes to the size that the finest level serves.

    The overlap is the 95th percentile of the objects' longer sides, so that as many lie whole in
    a tile; at most half a tile. Images stay whole where tiles would not show objects :data:`GAIN`
    times larger.

    Args:
        boxes: ``[G, 4]`` objects of the training set, xyxy pixels of their images.
        images: ``[G, 2]`` height and width of the image of each.
        network: its input.
        tile: a side that is given, pixels; else it is chosen.
        overlap: the same of the overlap.

    Raises:
        InputError: a given overlap is too large for the tile.
    """
    boxes = np.clip(boxes.astype(np.float64), 0, images[:, [1, 0, 1, 0]])
    sides = (boxes[:, 2:] - boxes[:, :2]).round(2)
    if not len(sides):
        return TileChoice(None, "images are taken whole: no objects to choose tiles by")
    median = max(1.0, float(np.median(np.sqrt(sides.prod(axis=1)))))
    size = tile if isinstance(tile, int) else _size(median, network)
    whole, zoom = float(np.median(network.zoom(images))), network.side / size
    seen = (
        f"the median object of {median:.0f} px comes to {median * zoom:.0f} px of the input, in "
        f"whole images to {median * whole:.0f} px; the finest stride, {network.stride} px, serves "
        f"{SERVED * network.stride} px"
    )
    if not isinstance(tile, int) and zoom < GAIN * whole:
        return TileChoice(None, f"images are taken whole: with tiles of {size} px {seen}")
    longer = float(np.percentile(sides.max(axis=1), 95, method="higher"))
    shared = overlap if isinstance(overlap, int) else _overlap(longer, size)
    try:
        tiling = Tiling(size, shared)
    except ValueError as error:
        raise InputError(f"settings tile, tile_overlap: {error}") from error
    return TileChoice(
        tiling,
        f"tiles of {size} px, overlap {shared} px: {seen}; 95 % of the objects are up to "
        f"{longer:.0f} px long",
    )


def _size(median: float, network: NetworkInput) -> int:
    """Return the side of a tile in which an object of ``median`` pixels has the served size."""
    zoom = min(ENLARGED, SERVED * network.stride / median)
    return max(1, round(network.side / zoom / _SIZE_STEP)) * _SIZE_STEP


def _overlap(longer: float, size: int) -> int:
    """Return the overlap in which objects of ``longer`` pixels lie whole, at most half a tile."""
    return min(-int(-longer // _OVERLAP_STEP) * _OVERLAP_STEP, (size - 1) // 2)
