"""Detection over the tiles of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from otadet.data import Transform, WindowedImage, collate, overview
from otadet.exp import BaseExp
from otadet.geometry import Geometry
from otadet.rng import generator
from otadet.tile_merge import TileMerge
from otadet.tiling import Tile, Tiling
from otadet.types import Batch, Detections, Sample

MOST_BOXES = 1 << 20
"""Detections of all tiles that are kept to be merged. A network that has not learned much may find
thousands in every tile."""
TILES = 4
"""Tiles in one forward pass, or more where a batch of images would have more."""


def detect_tiled(
    image: WindowedImage,
    exp: BaseExp,
    tiling: Tiling,
    detect: Callable[[Batch], list[Detections]],
    count: int,
    amodal: bool = False,
    transform: Transform | None = None,
) -> Detections:
    """Detect in an image of any size, tile by tile.

    Memory grows with ``count`` tiles, not with the image.

    Args:
        image: read tile by tile, and once more for the pass over the whole image.
        exp: resize of a tile, and thresholds.
        tiling: how the image is cut.
        detect: from a batch to detections in pixels of the image, on the CPU.
        count: tiles in one forward pass.
        amodal: boxes are not clipped to the image.
        transform: resize of a tile in place of the experiment's.

    Returns:
        The image's detections, in its pixels, by falling score.
    """
    transform = transform or exp.build_val_transform()
    tiles = tiling.tiles(image.size)
    found: list[Detections] = []
    for first in range(0, len(tiles), count):
        samples = [_cut(image, tile, amodal) for tile in tiles[first : first + count]]
        found += detect(collate([transform(sample, generator(0)) for sample in samples]))
        found = _best(found)
    whole = None
    if exp.tile_whole and len(tiles) > 1:
        whole = detect(collate([transform(whole_sample(image, amodal), generator(0))]))[0]
    merge = TileMerge(exp.nms_threshold, exp.max_detections, tiling.overlap)
    return merge(found, tiles, image.size, whole)


def over_tiles(
    exp: BaseExp,
    tiling: Tiling,
    detect: Callable[[Batch], list[Detections]],
    count: int,
    transform: Transform | None = None,
) -> Callable[[WindowedImage, bool], Detections]:
    """Return detection in an image over its tiles; the second argument is ``amodal``.

    Arguments are those of :func:`detect_tiled`.
    """

    def run(image: WindowedImage, amodal: bool) -> Detections:
        return detect_tiled(image, exp, tiling, detect, count, amodal, transform)

    return run


def _best(found: list[Detections]) -> list[Detections]:
    """Drop the detections of the lowest scores where there are twice :data:`MOST_BOXES`."""
    if sum(map(len, found)) < 2 * MOST_BOXES:
        return found
    scores = torch.cat([each.scores for each in found])
    lowest = float(scores.topk(MOST_BOXES).values[-1])
    return [each.above(lowest) for each in found]


def _cut(image: WindowedImage, tile: Tile, amodal: bool) -> Sample:
    """Read a tile; its geometry maps to the whole image."""
    left, top, *_ = tile.box
    geometry = Geometry.identity(image.size, amodal).cropped(left, top, tile.size)
    return replace(Sample.unlabelled(image.read(tile.box)), geometry=geometry)


def whole_sample(image: WindowedImage, amodal: bool = False) -> Sample:
    """Read the whole image, shrunk where it is too large for memory; the geometry says so."""
    pixels, factor = overview(image)
    size = pixels.shape[0], pixels.shape[1]
    geometry = Geometry((1 / factor, 1 / factor), (0.0, 0.0), image.size, size, amodal)
    return replace(Sample.unlabelled(pixels), geometry=geometry)
