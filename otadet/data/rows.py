"""Some images of a data set, in an order of their own; one may come several times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from otadet.data.base import Dataset, load_reduced
from otadet.data.wrapped import WrappedDataset
from otadet.types import GroundTruth, Sample


class RowsDataset(WrappedDataset):
    """Images of another data set by their index there.

    Args:
        dataset: the other one.
        rows: ``[N]`` int64 indices.
    """

    def __init__(self, dataset: Dataset, rows: npt.NDArray[np.int64]) -> None:
        self.dataset = dataset
        self._rows = rows

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """``[N, 2]`` height and width of every image, repetitions included."""
        return self.dataset.sizes[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def load(self, index: int) -> Sample:
        """Load an image; see :meth:`~otadet.data.base.Dataset.load`."""
        return self.dataset.load(int(self._rows[index]))

    def load_reduced(self, index: int, factor: int) -> Sample:
        """Load an image at a fraction of its size, where the data set can."""
        return load_reduced(self.dataset, int(self._rows[index]), factor)

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the ground truth of an image."""
        return self.dataset.ground_truth(int(self._rows[index]))
