"""Result of a comparison: plain values, for JSON and for the pages."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Spread:
    """A number over the seeds.

    Attributes:
        values: by seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation; ``None`` of a single seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"mean": self.mean, "deviation": self.deviation, "values": self.values}


class Curve(NamedTuple):
    """A number over the steps: mean, smallest and largest of the seeds."""

    steps: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class MethodResult:
    """What one method reached.

    Attributes:
        label: its name.
        seeds: that are finished.
        steps: length of its runs.
        settings: those in which methods differ.
        metrics: by name, 0 to 1; undefined ones are left out.
        cost: by name.
        curves: by name.
        folders: run directory of each seed, relative to the comparison's folder if inside.
    """

    label: str
    seeds: tuple[int, ...]
    steps: int
    settings: Mapping[str, Any]
    metrics: Mapping[str, Spread]
    cost: Mapping[str, Spread]
    curves: Mapping[str, Curve]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """Difference of two methods in one metric, over the seeds that both have.

    Attributes:
        metric: its name.
        one, other: labels; the difference is that of ``one`` minus that of ``other``.
        seeds: that both have.
        mean, low, high: difference and its 95 % interval, 0 to 1.
        p: without correction.
        p_holm: corrected for the number of pairs.
        ahead: label of the better method where the corrected p is below 0.05, else ``None``.
    """

    metric: str
    one: str
    other: str
    seeds: tuple[int, ...]
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    ahead: str | None


@dataclass(frozen=True)
class Equality:
    """Whether something is equal for all methods.

    Attributes:
        what: that should be equal.
        equal: ``None`` where it is not known.
        text: how it is known, or what differs.
    """

    what: str
    equal: bool | None
    text: str


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found.

    Attributes:
        data: name of the data set.
        images, objects, crowded: of the validation set of the first seed.
        budget: of each run, in words.
        methods: best first.
        pairs: of each metric that is compared.
        equalities: what is equal, and what is not.
        notes: limits of the comparison, a sentence each.
        failed: reason by run.
        resamples: number of resamples of the images.
        environment: version, what the runs ran on, and date.
    """

    data: str
    images: int
    objects: int
    crowded: int
    budget: str
    methods: Sequence[MethodResult]
    pairs: Sequence[Pair]
    equalities: Sequence[Equality]
    notes: Sequence[str]
    failed: Mapping[str, str]
    resamples: int
    environment: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        content = asdict(self)
        for row, method in zip(content["methods"], self.methods):
            for name in ("metrics", "cost"):
                spreads: Mapping[str, Spread] = getattr(method, name)
                row[name] = {key: spread.as_dict() for key, spread in spreads.items()}
            row["curves"] = {key: curve._asdict() for key, curve in method.curves.items()}
        return content

    def pairs_of(self, metric: str) -> list[Pair]:
        """Return the pairs of one metric."""
        return [pair for pair in self.pairs if pair.metric == metric]

    def winner(self, metric: str) -> str | None:
        """Return the method that is ahead of all others; ``None`` where none is."""
        ahead = [pair.ahead for pair in self.pairs_of(metric)]
        labels = [method.label for method in self.methods]
        return next((each for each in labels if ahead.count(each) == len(labels) - 1), None)
