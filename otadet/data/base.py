"""What every data set offers, whatever its file format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from otadet.types import Sample, Truth


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

    def truth(self, index: int) -> Truth:
        """The image's objects without decoding it."""
        ...
