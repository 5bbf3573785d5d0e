"""Repeat training images of rare classes (Gupta, Dollar, Girshick: LVIS, CVPR 2019, section 4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from otadet.data.base import Dataset, load_reduced
from otadet.data.wrapped import WrappedDataset
from otadet.rng import generator
from otadet.types import GroundTruth, Sample


def repeat_factors(dataset: Dataset, threshold: float) -> npt.NDArray[np.float64]:
    """Return ``[N]`` how often each image is to be seen in an epoch, at least 1.

    A class that is in a share ``f`` of the images gets ``max(1, sqrt(threshold / f))``, an image
    the largest of its classes.

    Args:
        dataset: training set.
        threshold: share of the images below which a class is rare.
    """
    present = np.zeros((len(dataset), len(dataset.class_names)), bool)
    for index in range(len(dataset)):
        present[index, dataset.ground_truth(index).labels] = True
    share = present.mean(axis=0)
    of_class = np.sqrt(threshold / np.maximum(share, 1e-12)).clip(min=1.0)
    factors: npt.NDArray[np.float64] = np.where(present, of_class, 1.0).max(axis=1, initial=1.0)
    return factors


class RepeatedDataset(WrappedDataset):
    """Data set in which images of rare classes come several times.

    Fractions are rounded up or down at random, once, so that every epoch has the same length.

    Args:
        dataset: training set.
        threshold: see :func:`repeat_factors`.
        seed: of the rounding.
    """

    def __init__(self, dataset: Dataset, threshold: float, seed: int) -> None:
        self.dataset = dataset
        factors = repeat_factors(dataset, threshold)
        times = np.floor(factors + generator(seed, len(dataset)).random(len(dataset))).astype(int)
        self._rows = np.repeat(np.arange(len(dataset)), times)

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
