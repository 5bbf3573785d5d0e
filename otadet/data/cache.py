"""Keep decoded images in shared memory or in a memory-mapped file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from otadet.atomic import file_lock, remove_parts
from otadet.cores import usable_cores
from otadet.data.annotation_table import offsets
from otadet.data.base import Dataset, load_reduced, shrunk_sample
from otadet.data.cache_file import MappedPixels, content_key
from otadet.data.canvas import halvings
from otadet.data.free_space import check_disk, check_memory
from otadet.data.image_file import MAX_PIXELS
from otadet.data.wrapped import WrappedDataset
from otadet.errors import InputError
from otadet.geometry import Size, shortest_edge
from otadet.types import GroundTruth, Sample

Where = Literal["none", "memory", "disk"]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def cached(
    dataset: Dataset,
    where: Where,
    *,
    longest: int | None = None,
    folder: str | Path | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> Dataset:
    """Decode all images of a data set beforehand.

    ``"memory"`` keeps them in one block of shared memory for all loader processes, however they
    are started; it is freed with the last of them. Each training process of a machine has a block
    of its own; all are counted against the free memory first. ``"disk"`` keeps them in a file that
    all processes map and that later runs use again while names, sizes and times of the image files
    and ``longest`` are the same; one process writes it while others wait.

    Made for training: with ``longest``, images are shrunk, and :meth:`~Dataset.load` gives the
    shrunk image, boxes in its frame, and the geometry that maps back to the original. Sizes and
    ground truth stay those of the original.

    Args:
        dataset: decides what becomes of an unreadable image; for ``"disk"`` one of image files.
        where: ``"none"`` gives ``dataset`` itself.
        longest: pixels; images with a longer side are shrunk to it, by averaging.
        folder: where the file of ``"disk"`` goes; made where missing.
        threads: number of decoding threads; None for one a CPU core, at most 8.
        progress: show a bar on a terminal.

    Raises:
        InputError: too little memory or disk, no folder or a data set without files for
            ``"disk"``, or an unreadable image where the data set stops at one.
    """
    if where == "none":
        return dataset
    if where not in ("memory", "disk"):
        raise InputError(f"cache: expected 'none', 'memory' or 'disk', got {where!r}")
    if longest is not None and longest < 1:
        raise InputError(f"longest: expected at least 1 pixel, got {longest}")
    # An image that states more pixels cannot be read: loading it says so, or it is skipped.
    known = dataset.sizes.astype(np.float64).prod(axis=1) <= MAX_PIXELS
    shapes = _shapes(np.where(known[:, None], dataset.sizes, 1), longest)
    starts = offsets(shapes.prod(axis=1) * 3)
    total = int(starts[-1])
    fill = _Fill(dataset, shapes, starts, threads or min(8, usable_cores()), progress)
    if where == "memory":
        check_memory(total, f"the cache of {len(dataset)} images")
        block = torch.empty(total, dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
        return Cached(dataset, SharedPixels(block), shapes, starts, fill(block.numpy()))
    if folder is None:
        raise InputError("cache on disk: expected a folder, got None")
    target = Path(folder) / f"{content_key(dataset, shapes)}.pictures"
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = MappedPixels(target, len(dataset), total)
    with file_lock(target):
        remove_parts(target)
        if not pixels.is_complete():
            check_disk(total, target.parent, f"the cache of {len(dataset)} images")
            pixels.write(fill)
    return Cached(dataset, pixels, shapes, starts, pixels.origin())


@dataclass(frozen=True, eq=False)
class SharedPixels:
    """Pixels in a block of shared memory, which torch passes to other processes by its handle."""

    block: Tensor

    def __post_init__(self) -> None:
        # Kept: a tensor's numpy() takes as long as copying a small image.
        object.__setattr__(self, "_array", np.asarray(self.block.numpy(), np.uint8))

    def __reduce__(self) -> tuple[type[SharedPixels], tuple[Tensor]]:
        return SharedPixels, (self.block,)

    def bytes(self) -> Bytes:
        """``[total]`` uint8."""
        array: Bytes = self._array  # type: ignore[attr-defined]
        return array


@dataclass(frozen=True, eq=False)
class Cached(WrappedDataset):
    """Data set of decoded images, see :func:`cached`.

    Attributes:
        dataset: source of everything but the pixels.
        pixels: all images, one after the other.
        shapes: ``[N, 2]`` int64 height and width of the kept images.
        starts: ``[N + 1]`` int64 first byte of each.
        origin: ``[N]`` int64 index of the image kept for each: itself, or the next readable one.
    """

    dataset: Dataset
    pixels: SharedPixels | MappedPixels
    shapes: Ints
    starts: Ints
    origin: Ints

    @property
    def sizes(self) -> Ints:
        """``[N, 2]`` height and width of the originals."""
        return self.dataset.sizes

    def __len__(self) -> int:
        return len(self.dataset)

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the ground truth of image ``index``, frame of the original."""
        return self.dataset.ground_truth(index)

    def load(self, index: int) -> Sample:
        """Load the kept image, read-only, with boxes in its frame."""
        image = int(self.origin[index])
        flat = self.pixels.bytes()[self.starts[image] : self.starts[image + 1]]
        flat.flags.writeable = False
        return shrunk_sample(self.dataset.ground_truth(image), flat.reshape(*self.shapes[image], 3))


@dataclass(frozen=True, eq=False)
class _Fill:
    """Decodes every image into its place, in threads, since OpenCV releases the GIL."""

    dataset: Dataset
    shapes: Ints
    starts: Ints
    threads: int
    progress: bool

    def __call__(self, pixels: Bytes) -> Ints:
        """Write into ``pixels`` and return :attr:`Cached.origin`."""
        ids = {self.dataset.ground_truth(i).image_id: i for i in range(len(self.dataset))}
        origin = np.empty(len(self.dataset), np.int64)
        pool = ThreadPoolExecutor(self.threads)
        try:
            jobs = pool.map(lambda i: self._one(i, pixels), range(len(self.dataset)))
            bar = tqdm(
                jobs, total=len(origin), desc="cache", unit="image", leave=False,
                disable=None if self.progress else True,  # None: only on a terminal
            )  # fmt: skip
            for index, image_id in enumerate(bar):
                # Tiles share their image's id, so only what stands in for another is looked up.
                own = image_id == self.dataset.ground_truth(index).image_id
                origin[index] = index if own else ids[image_id]
        finally:
            pool.shutdown(cancel_futures=True)
        return origin

    def _one(self, index: int, pixels: Bytes) -> int:
        """Decode one image; return the id of the image that the data set gave in its place."""
        height, width = self.shapes[index].tolist()
        factor = halvings(height / int(self.dataset.sizes[index, 0]))
        sample = load_reduced(self.dataset, index, factor)
        if sample.image_id == self.dataset.ground_truth(index).image_id:
            image = _shrunk(sample.image, (height, width))
            pixels[self.starts[index] : self.starts[index + 1]] = image.reshape(-1)
        return sample.image_id


def _shapes(sizes: Ints, longest: int | None) -> Ints:
    if longest is None:
        return sizes
    return np.array(
        [
            shortest_edge((h, w), min(h, w), longest)  # which never enlarges
            for h, w in sizes.tolist()
        ],
        np.int64,
    ).reshape(-1, 2)


def _shrunk(image: Bytes, size: Size) -> Bytes:
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
