"""What every data set offers, whatever its file format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from otadet.geometry import Geometry
from otadet.types import GroundTruth, Sample


@runtime_checkable
class Dataset(Protocol):
    """Images with their objects, by index ``0 <= index < len(dataset)``.

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
        """How many things were left out, by reason; empty or zeros where nothing was."""
        ...

    def __len__(self) -> int: ...

    def load(self, index: int) -> Sample:
        """The decoded image with its objects, image frame, identity geometry.

        Raises:
            InputError: where the image cannot be read; names the file and the image id.
        """
        ...

    def truth(self, index: int) -> GroundTruth:
        """The image's objects without decoding it."""
        ...


class Reducible(Protocol):
    """A data set that can decode an image to a fraction of its size in less time."""

    def load_reduced(self, index: int, factor: int) -> Sample:
        """As ``Dataset.load``, with an image whose sides are ``factor`` (1, 2, 4 or 8) times
        smaller, rounded up; or a larger one, where the file's format cannot do it. The boxes are
        in the frame of the image, the geometry says how it came from the original's."""
        ...


def load_reduced(dataset: Dataset, index: int, factor: int) -> Sample:
    """A sample for a use that needs no more than 1 / ``factor`` of each side."""
    short: Reducible | None = dataset if hasattr(dataset, "load_reduced") else None  # type: ignore[assignment]
    return short.load_reduced(index, factor) if short and factor > 1 else dataset.load(index)


def shrunk_sample(truth: GroundTruth, image: npt.NDArray[np.uint8]) -> Sample:
    """A sample of an image's ground truth and its image, which may be smaller than the original."""
    height, width = image.shape[:2]
    fx, fy = width / truth.size[1], height / truth.size[0]
    factor = np.array([fx, fy, fx, fy], np.float32)
    return Sample(
        image=image,
        boxes=truth.boxes * factor,
        labels=truth.labels,
        ignore_boxes=truth.ignore_boxes * factor,
        image_id=truth.image_id,
        geometry=Geometry.identity(truth.size, truth.amodal).resized((height, width)),
    )
