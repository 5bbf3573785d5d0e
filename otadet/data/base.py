"""Interface of data sets, whatever their file format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from otadet.data.windowed_image import ArrayImage, WindowedImage
from otadet.geometry import Geometry
from otadet.types import GroundTruth, Sample


@runtime_checkable
class Dataset(Protocol):
    """Images with their ground truth, by index ``0 <= index < len(dataset)``.

    A data set is read-only and picklable, so that loader processes can have copies of it.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the contiguous class indices."""
        ...

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """``[N, 2]`` int64 height and width of every image, known without opening one."""
        ...

    @property
    def skipped(self) -> Mapping[str, int]:
        """Number of things left out, by reason; empty or zeros where nothing was."""
        ...

    def __len__(self) -> int: ...

    def load(self, index: int) -> Sample:
        """Decode an image; its objects in the image frame, identity geometry.

        Raises:
            InputError: where the image cannot be read; names the file and the image id.
        """
        ...

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the ground truth of an image without decoding it."""
        ...


class Reducible(Protocol):
    """Data set that decodes an image to a fraction of its size in less time."""

    def load_reduced(self, index: int, factor: int) -> Sample:
        """Load as ``Dataset.load`` does, with sides ``factor`` (1, 2, 4 or 8) times smaller.

        Sides are rounded up; the image is larger where the file's format cannot do it. The boxes
        are in its frame, and the geometry maps them to the original.
        """
        ...


def load_reduced(dataset: Dataset, index: int, factor: int) -> Sample:
    """Load a sample of which no more than 1 / ``factor`` of each side is needed."""
    short: Reducible | None = dataset if hasattr(dataset, "load_reduced") else None  # type: ignore[assignment]
    return short.load_reduced(index, factor) if short and factor > 1 else dataset.load(index)


class Windowed(Protocol):
    """Data set that opens an image without decoding it as a whole."""

    def open_image(self, index: int) -> tuple[Sample, WindowedImage]:
        """Return the objects of an image in a sample without pixels, and the image."""
        ...


def open_sample(dataset: Dataset, index: int) -> tuple[Sample, WindowedImage]:
    """Return an image's objects, in the frame of the image, and the image to be read by windows.

    Raises:
        InputError: as ``Dataset.load``.
    """
    if hasattr(dataset, "open_image"):
        windowed: Windowed = dataset  # type: ignore[assignment]
        return windowed.open_image(index)
    sample = dataset.load(index)
    return sample, ArrayImage(sample.image)


def blank_sample(gt: GroundTruth) -> Sample:
    """Make a sample of ground truth alone, whose pixels are black and take no memory."""
    pixels = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (*gt.size, 3))
    identity = Geometry.identity(gt.size, gt.amodal)
    return Sample(pixels, gt.boxes, gt.labels, gt.ignore_boxes, gt.image_id, identity)


def shrunk_sample(gt: GroundTruth, image: npt.NDArray[np.uint8]) -> Sample:
    """Make a sample of ground truth and image, which may be smaller than the original."""
    height, width = image.shape[:2]
    fx, fy = width / gt.size[1], height / gt.size[0]
    factor = np.array([fx, fy, fx, fy], np.float32)
    return Sample(
        image=image,
        boxes=gt.boxes * factor,
        labels=gt.labels,
        ignore_boxes=gt.ignore_boxes * factor,
        image_id=gt.image_id,
        geometry=Geometry.identity(gt.size, gt.amodal).resized((height, width)),
    )
