"""The numbers that a run has logged so far: ``metrics.jsonl``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from otadet.engine.loggers import read_metrics

Line = dict[str, float]


@dataclass(frozen=True)
class MetricLines:
    """Lines of ``metrics.jsonl`` by kind, each with its ``step``.

    Attributes:
        train: means over the steps since the line before.
        val: evaluations.
    """

    train: list[Line]
    val: list[Line]

    @staticmethod
    def read(folder: Path) -> MetricLines:
        """Read the lines of a run; one that is being written is left out."""
        found: dict[str, list[Line]] = {"train": [], "val": []}
        for line in read_metrics(folder):
            kind = line.pop("kind")
            if kind in found:
                found[kind].append({k: float(v) for k, v in line.items() if v is not None})
        return MetricLines(**found)

    @property
    def step(self) -> int:
        """Steps that have been logged."""
        return max((int(line["step"]) for line in [*self.train, *self.val]), default=0)

    @property
    def loss_terms(self) -> list[str]:
        """Names of the terms of the loss: they follow it and add up to it."""
        for line in self.train:
            names, left = [], line.get("loss", math.nan)
            for name in list(line)[list(line).index("loss") + 1 :] if "loss" in line else []:
                names.append(name)
                left -= line[name]
                if abs(left) < 1e-4 * max(abs(line["loss"]), 1e-8):
                    return names
        return []

    def total(self, kind: str, name: str) -> float | None:
        """Sum of a number over all lines of a kind; ``None`` where no line has it."""
        values = [line[name] for line in getattr(self, kind) if name in line]
        return sum(values) if values else None
