"""Repeat training images of rare classes (Gupta, Dollar, Girshick: LVIS, CVPR 2019, section 4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from otadet.data.base import Dataset
from otadet.data.rows import RowsDataset
from otadet.rng import generator


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


class RepeatedDataset(RowsDataset):
    """Data set in which images of rare classes come several times.

    Fractions are rounded up or down at random, once, so that every epoch has the same length.

    Args:
        dataset: training set.
        threshold: see :func:`repeat_factors`.
        seed: of the rounding.
    """

    def __init__(self, dataset: Dataset, threshold: float, seed: int) -> None:
        factors = repeat_factors(dataset, threshold)
        times = np.floor(factors + generator(seed, len(dataset)).random(len(dataset))).astype(int)
        super().__init__(dataset, np.repeat(np.arange(len(dataset)), times))
