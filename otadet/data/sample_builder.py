"""Build training samples out of one image, or out of several images of the data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from otadet.data.base import Dataset
from otadet.data.transforms import Transform
from otadet.types import Sample


class SampleBuilder(Protocol):
    """Builds one sample; may load other images of the data set.

    A pure function of its arguments and picklable, so that it does not matter which worker
    calls it.
    """

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        """Build the sample of image ``index``.

        Raises:
            InputError: of the data set, where an image cannot be read.
        """
        ...


SampleSchedule = Callable[[int], SampleBuilder]
"""The builder of a step: input size and stage of a run are functions of the step. Picklable."""


@dataclass(frozen=True)
class OneImage:
    """Sample builder: one image through a transform."""

    transform: Transform

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        """Build the sample of image ``index``."""
        return self.transform(dataset.load(index), rng)


@dataclass(frozen=True)
class WithTransform:
    """Sample builder: the sample of another builder through one more transform."""

    builder: SampleBuilder
    transform: Transform

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        """Build the sample of image ``index``."""
        return self.transform(self.builder(dataset, index, rng), rng)


@dataclass(frozen=True)
class RoundRobin:
    """Schedule that takes its builders in turn, one a step."""

    builders: tuple[SampleBuilder, ...]

    def __call__(self, step: int) -> SampleBuilder:
        """Return the builder of a step."""
        return self.builders[step % len(self.builders)]
