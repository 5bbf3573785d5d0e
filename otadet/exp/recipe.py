"""What of a recipe changes during a run, as pure functions of the step; its published rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otadet.geometry import Size
from otadet.rng import generator

_PLACE = 7919
"""Sets the stream of sizes apart from that of any image, which is seeded by step and slot."""


@dataclass(frozen=True)
class Phase:
    """The last epochs of a run with other settings, declared beforehand.

    Only what training images and the criterion are made from, and ``eval_interval``, take
    effect; everything else is made once, evaluation included, which has to find what a checkpoint's
    settings say.

    Attributes:
        last_epochs: how many epochs before the end it begins.
        settings: the settings that change, by name.
    """

    last_epochs: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of ``docs/experiments.md``: a variant of an experiment and its scores.

    Attributes:
        words: settings as on the command line; nothing for the experiment as it stands.
        published: score of the source, such as ``40.7 / 58.4 / 44.3``, AP, AP50 and AP75 in
            percent on COCO val unless stated otherwise.
        source: where it was published.
        ours: what a run of this code reached.
    """

    words: str = ""
    published: str = ""
    source: str = ""
    ours: str = "not yet measured"


@dataclass(frozen=True)
class SizeRule:
    """The input's height and width at a step.

    Every ``interval`` steps a height is drawn evenly from the multiples of ``multiple`` in
    ``heights``; the width follows the shape of ``base``. A function of seed and step: a resumed
    run, and every process of a run, sees the same sizes.

    Attributes:
        base: height and width where nothing is drawn.
        heights: smallest and largest height, or ``None`` for ``base`` throughout.
        seed: of the draw.
        interval: steps between draws.
        multiple: of both sides.
    """

    base: Size
    heights: tuple[int, int] | None = None
    seed: int = 0
    interval: int = 10
    multiple: int = 32

    def __call__(self, step: int) -> Size:
        """Height and width, pixels, of the (0-based) step."""
        sizes = self.sizes
        draw = generator(self.seed, _PLACE, step // self.interval)
        return sizes[int(draw.integers(len(sizes)))] if len(sizes) > 1 else sizes[0]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """All sizes that can come, smallest first."""
        if self.heights is None:
            return (self.base,)
        low, high = -(-self.heights[0] // self.multiple), self.heights[1] // self.multiple
        shape = self.base[1] / self.base[0]
        return tuple(
            (n * self.multiple, max(1, round(n * shape)) * self.multiple)
            for n in range(low, max(low, high) + 1)
        )
