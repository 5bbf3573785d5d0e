"""How a training sample is made: of one image, or of several of the data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from otadet.data.base import Dataset
from otadet.data.transforms import Transform
from otadet.types import Sample


class Draw(Protocol):
    """Makes one sample; may look at other images of the data set.

    A pure function of its arguments and picklable, so that it does not matter which loader
    process calls it.
    """

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        """The sample of image ``index``.

        Raises:
            InputError: of the data set, where an image cannot be read.
        """
        ...


Plan = Callable[[int], Draw]
"""The draw of a step: input size and phase of a run are functions of the step. Picklable."""


@dataclass(frozen=True)
class AfterDraw:
    """A draw whose samples go through one more transform."""

    draw: Draw
    transform: Transform

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        return self.transform(self.draw(dataset, index, rng), rng)


@dataclass(frozen=True)
class Single:
    """One image through a transform."""

    transform: Transform

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        return self.transform(dataset.load(index), rng)


@dataclass(frozen=True)
class Always:
    """The plan with the same draw at every step."""

    draw: Draw

    def __call__(self, step: int) -> Draw:
        return self.draw


@dataclass(frozen=True)
class InTurn:
    """The plan that takes its draws in turn, step by step."""

    draws: tuple[Draw, ...]

    def __call__(self, step: int) -> Draw:
        return self.draws[step % len(self.draws)]
