"""Merge the detections of an image's tiles into those of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from otadet.boxes import area
from otadet.geometry import Size
from otadet.tiling import Tile
from otadet.types import Detections

SLACK = 8.0
"""Pixels by which a detection's centre may miss its tile's core: two tiles need not agree on the
centre of the same object to the pixel, and an object on the line must not be lost to both."""

TOUCH = 3.0
"""A box that ends so near to an inner border, or beyond it, is cut by it, in pixels."""

INSIDE = 0.6
"""A cut box is a part of a better one of its class when more of it than this lies inside."""


PAIRS = 1 << 22
"""Pairs of boxes that are compared at a time, which bounds the memory."""


@dataclass(frozen=True)
class TileMerge:
    """Rule that merges the detections of overlapping tiles.

    1. Each tile answers for its core: a detection whose centre lies elsewhere is another tile's to
       find. So an object smaller than the overlap is found by one tile alone, and nothing has to
       tell two objects that overlap in a crowd from one that was found twice.
    2. Larger objects are cut by tiles. A cut box gives way to one of its class, from another tile
       or the pass over the whole image, that is not cut or is larger and holds most of it.
    3. What two tiles found within the slack of a middle line is one by NMS.

    Attributes:
        nms_threshold: IoU above which the lower-scored of two boxes of a class is dropped.
        max_detections: of the image; the best are kept.
        overlap: of the tiles, pixels. Of the pass over the whole image only boxes with a larger
            side count: smaller objects lie whole in a tile.
    """

    nms_threshold: float
    max_detections: int
    overlap: int

    def __call__(
        self,
        found: Sequence[Detections],
        tiles: Sequence[Tile],
        image: Size,
        whole: Detections | None = None,
    ) -> Detections:
        """Merge.

        Args:
            found: of each tile, in pixels of the image.
            tiles: of the image.
            image: height and width of the image.
            whole: of the pass over the whole image, if there was one.
        """
        if len(tiles) == 1 and whole is None:
            return found[0]
        parts = [self._own(each, tile) for each, tile in zip(found, tiles)]
        cut = [_is_cut(each.boxes, tile, image) for each, tile in zip(parts, tiles)]
        if whole is not None:
            large = (whole.boxes[:, 2:] - whole.boxes[:, :2]).amax(dim=1) > self.overlap
            parts.append(Detections(whole.boxes[large], whole.scores[large], whole.labels[large]))
            cut.append(torch.zeros(int(large.sum()), dtype=torch.bool))
        return self._best(_without_parts(parts, cut, tiles))

    def _best(self, found: Detections) -> Detections:
        """Apply NMS; of the boxes by falling score only so many as the result needs."""
        order = found.scores.argsort(descending=True, stable=True)
        most = 2 * self.max_detections
        while True:
            first = order[:most]
            boxes, scores, labels = found.boxes[first], found.scores[first], found.labels[first]
            kept = batched_nms(boxes, scores, labels, self.nms_threshold)[: self.max_detections]
            if len(kept) == self.max_detections or most >= len(order):
                return Detections(boxes[kept], scores[kept], labels[kept])
            most *= 2

    def _own(self, found: Detections, tile: Tile) -> Detections:
        """Keep what the tile answers for, and boxes that are larger than the overlap."""
        center = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        low, high = torch.tensor(tile.core[:2]) - SLACK, torch.tensor(tile.core[2:]) + SLACK
        mine = ((center >= low) & (center <= high)).all(dim=1)
        mine |= (found.boxes[:, 2:] - found.boxes[:, :2]).amax(dim=1) > self.overlap
        return Detections(found.boxes[mine], found.scores[mine], found.labels[mine])


def _is_cut(boxes: Tensor, tile: Tile, image: Size) -> Tensor:
    """Return ``[N]`` bool: the box ends at a border of the tile that is none of the image."""
    left, top, right, bottom = tile.box
    height, width = image
    cut = torch.zeros(len(boxes), dtype=torch.bool)
    if left > 0:
        cut |= boxes[:, 0] <= left + TOUCH
    if top > 0:
        cut |= boxes[:, 1] <= top + TOUCH
    if right < width:
        cut |= boxes[:, 2] >= right - TOUCH
    if bottom < height:
        cut |= boxes[:, 3] >= bottom - TOUCH
    return cut


def _without_parts(
    parts: Sequence[Detections], cut: Sequence[Tensor], tiles: Sequence[Tile]
) -> Detections:
    """Return all detections without the cut boxes that are a part of a better one.

    Args:
        parts: of each tile, and behind them those of the pass over the whole image.
        cut: ``[N]`` bool for each part.
        tiles: of the image. Only those that meet a box's own tile can have a better one.
    """
    frames = torch.tensor([tile.box for tile in tiles])
    whole = range(len(tiles), len(parts))
    kept: list[Detections] = []
    for index, (mine, is_cut) in enumerate(zip(parts, cut)):
        if is_cut.any():
            frame = frames[index]
            meets = ((frames[:, :2] <= frame[2:]) & (frames[:, 2:] >= frame[:2])).all(dim=1)
            near = [each for each in torch.nonzero(meets)[:, 0].tolist() if each != index]
            gone = is_cut.clone()
            gone[is_cut] = _inside_better(
                mine.boxes[is_cut], mine.labels[is_cut],
                _joined([parts[each] for each in (*near, *whole)]),
                torch.cat([cut[each] for each in (*near, *whole)]),
            )  # fmt: skip
            mine = Detections(mine.boxes[~gone], mine.scores[~gone], mine.labels[~gone])
        kept.append(mine)
    return _joined(kept)


def _inside_better(boxes: Tensor, labels: Tensor, others: Detections, cut: Tensor) -> Tensor:
    """Return ``[N]`` bool: a cut box lies for the most part in a better one of its class.

    Args:
        boxes: ``[N, 4]`` that are cut.
        labels: ``[N]`` of these.
        others: of other tiles.
        cut: ``[M]`` bool, which of these are cut.
    """
    gone = torch.zeros(len(boxes), dtype=torch.bool)
    if not len(others):
        return gone
    size, other_size = area(boxes), area(others.boxes)
    for rows in torch.split(torch.arange(len(boxes)), max(1, PAIRS // len(others))):
        corner = torch.maximum(boxes[rows, None, :2], others.boxes[None, :, :2])
        end = torch.minimum(boxes[rows, None, 2:], others.boxes[None, :, 2:])
        share = (end - corner).clamp(min=0).prod(dim=-1) / size[rows, None].clamp(min=1e-6)
        better = ~cut[None] | (other_size[None] > size[rows, None])
        same = labels[rows, None] == others.labels[None]
        gone[rows] = (better & same & (share > INSIDE)).any(dim=1)
    return gone


def _joined(parts: Sequence[Detections]) -> Detections:
    return Detections(
        torch.cat([each.boxes for each in parts]),
        torch.cat([each.scores for each in parts]),
        torch.cat([each.labels for each in parts]),
    )
