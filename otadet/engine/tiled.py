"""Detection over the tiles of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from otadet.data import Transform, collate
from otadet.exp import BaseExp
from otadet.geometry import Geometry
from otadet.rng import generator
from otadet.tile_merge import TileMerge
from otadet.tiling import Tile, Tiling
from otadet.types import Batch, Detections, Sample

Image = npt.NDArray[np.uint8]

TILES = 4
"""Tiles in one forward pass, or more where a batch of images would have more."""


def detect_tiled(
    image: Image,
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
        image: ``[H, W, 3]`` uint8 RGB.
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
    size = image.shape[0], image.shape[1]
    tiles = tiling.tiles(size)
    found: list[Detections] = []
    for first in range(0, len(tiles), count):
        samples = [_cut(image, tile, transform, amodal) for tile in tiles[first : first + count]]
        found += detect(collate(samples))
    whole = None
    if exp.tile_whole and len(tiles) > 1:
        whole = detect(collate([transform(Sample.unlabelled(image, amodal), generator(0))]))[0]
    merge = TileMerge(exp.nms_threshold, exp.max_detections, tiling.overlap)
    return merge(found, tiles, size, whole)


def over_tiles(
    exp: BaseExp,
    tiling: Tiling,
    detect: Callable[[Batch], list[Detections]],
    count: int,
    transform: Transform | None = None,
) -> Callable[[Batch], list[Detections]]:
    """Return detection in a batch of images that are not resized, image by image over its tiles.

    Arguments are those of :func:`detect_tiled`.
    """

    def run(batch: Batch) -> list[Detections]:
        return [
            detect_tiled(_image_of(pixels, g), exp, tiling, detect, count, g.amodal, transform)
            for pixels, g in zip(batch.images, batch.geometries)
        ]

    return run


def unchanged(sample: Sample, rng: np.random.Generator) -> Sample:
    """Leave an image as it is: the transform of images that are cut into tiles."""
    return sample


def _cut(image: Image, tile: Tile, transform: Transform, amodal: bool) -> Sample:
    """Cut a tile and bring it to the network's input; its geometry maps to the whole image."""
    left, top, right, bottom = tile.box
    whole = Sample.unlabelled(image, amodal)
    piece = replace(
        whole,
        image=image[top:bottom, left:right],
        geometry=whole.geometry.cropped(left, top, tile.size),
    )
    return transform(piece, generator(0))


def _image_of(pixels: Tensor, geometry: Geometry) -> Image:
    """Return an image of a batch ``[3, H, W]`` without its padding, ``[H, W, 3]``."""
    height, width = geometry.input_size
    found: Image = pixels[:, :height, :width].permute(1, 2, 0).numpy()
    return found
