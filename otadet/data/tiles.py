"""Train on the tiles of large images, cut while they are read: no second copy of the data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from otadet.data.base import Dataset, blank_sample, open_sample
from otadet.data.cache_file import Fingerprinted
from otadet.data.transforms import MIN_VISIBLE, crop, cut, inside
from otadet.data.windowed_image import WindowedImage
from otadet.data.wrapped import WrappedDataset
from otadet.errors import InputError
from otadet.geometry import Geometry
from otadet.rng import generator
from otadet.tiling import Tiling
from otadet.types import GroundTruth, Sample


class TiledDataset(WrappedDataset):
    """Data set whose images are the tiles of another's.

    Every tile in which an object shows enough of itself, and a share of the others. An object of
    which a tile shows less than :data:`~otadet.data.transforms.MIN_VISIBLE` is an ignore region
    there. An image that is no larger than a tile is one tile. The last image that was opened is
    kept, so that tiles that are read in their order, as a cache does, decode each image once.

    Args:
        dataset: of whole images.
        tiling: how they are cut.
        empty: tiles without objects, as a share of those with some; drawn once.
        seed: of that draw.
    """

    def __init__(self, dataset: Dataset, tiling: Tiling, empty: float, seed: int) -> None:
        self.dataset = dataset
        self._last: tuple[int, Sample, WindowedImage] | None = None
        with_objects: list[tuple[int, ...]] = []
        without: list[tuple[int, ...]] = []
        unseen = 0
        for index, (height, width) in enumerate(dataset.sizes.tolist()):
            boxes = inside(dataset.ground_truth(index).boxes, (height, width))
            seen = np.zeros(len(boxes), bool)
            for tile in tiling.tiles((height, width)):
                visible = cut(boxes, *tile.box[:2], tile.size)[1] >= MIN_VISIBLE
                seen |= visible
                (with_objects if visible.any() else without).append((index, *tile.box))
            unseen += int((~seen).sum())
        count = min(len(without), round(empty * len(with_objects)))
        if not with_objects:
            count = len(without)
        drawn = generator(seed).permutation(len(without))[:count]
        rows = [*with_objects, *(without[i] for i in drawn)]
        self._rows = np.array(sorted(rows), np.int64).reshape(-1, 5)
        self._unseen = unseen
        self._empty = len(without) - count

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """``[N, 2]`` height and width of the tiles."""
        return self._rows[:, [4, 3]] - self._rows[:, [2, 1]]

    @property
    def skipped(self) -> Mapping[str, int]:
        """Number of things left out, by reason."""
        return Counter(super().skipped) + Counter(
            {"tiles without objects": self._empty, "objects too large for a tile": self._unseen}
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_last": None}  # not a decoded image to every worker

    def fingerprint(self) -> str:
        """Return a text that differs whenever an image file or the tiles may have changed.

        Raises:
            InputError: the data set generates its images.
        """
        if not isinstance(self.dataset, Fingerprinted):
            raise InputError("a cache on disk needs image files: cache in memory")
        rows = hashlib.sha256(self._rows.tobytes()).hexdigest()
        return f"{self.dataset.fingerprint()} {rows}"

    def load(self, index: int) -> Sample:
        """Open an image, or take the last one, and read the tile; boxes in the tile's pixels.

        Raises:
            InputError: where the image cannot be read.
        """
        image, left, top, right, bottom = self._rows[index].tolist()
        last = self._last  # read once: a cache loads in several threads
        if last is None or last[0] != image:
            self._last = last = (image, *open_sample(self.dataset, image))
        _, objects, whole = last
        height, width = whole.size  # of another image, where this one is skipped
        size = min(bottom - top, height), min(right - left, width)
        left, top = min(left, width - size[1]), min(top, height - size[0])
        tile = crop(objects, left, top, size, MIN_VISIBLE)
        return replace(
            tile,
            image=np.ascontiguousarray(whole.read((left, top, left + size[1], top + size[0]))),
            geometry=Geometry.identity(size, objects.geometry.amodal),
        )

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the objects of a tile in its own pixels."""
        image, left, top, right, bottom = self._rows[index].tolist()
        gt = self.dataset.ground_truth(image)
        tile = crop(blank_sample(gt), left, top, (bottom - top, right - left), MIN_VISIBLE)
        sides = (tile.boxes[:, 2:] - tile.boxes[:, :2]).astype(np.float64)
        return GroundTruth(
            gt.image_id, gt.file_name, (bottom - top, right - left), tile.boxes, tile.labels,
            tile.ignore_boxes, sides.prod(axis=1), amodal=gt.amodal,
        )  # fmt: skip
