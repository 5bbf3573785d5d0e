"""Training stages: the experiment's settings from a step on."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from otadet.data import SampleBuilder
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.exp.recipe import SizeRule
from otadet.geometry import Size


@dataclass(frozen=True)
class Stage:
    """Experiment from a step on.

    Attributes:
        start: its first step.
        exp: with the phase's settings.
    """

    start: int
    exp: BaseExp


def build_stages(exp: BaseExp, total: int, epoch_steps: int) -> tuple[Stage, ...]:
    """Build the stages of a run of ``total`` steps, the first one starting at step 0.

    A phase never takes more than the last third, so that a short run keeps its proportions.

    Raises:
        InputError: where a phase names a setting that does not exist, is of another type, or is
            read once only.
    """
    found = [Stage(0, exp)]
    for phase in sorted(exp.phases(), key=lambda p: -p.last_epochs):
        steps = min(phase.last_epochs * epoch_steps, total // 3)
        if steps < 1:
            continue
        unknown = phase.settings.keys() - exp.hints().keys()
        if unknown:
            raise InputError(f"{exp.name}.phases: unknown setting {sorted(unknown)[0]!r}")
        free = exp.phase_settings()
        fixed = phase.settings.keys() - free
        if fixed:
            raise InputError(
                f"{exp.name}.phases: {sorted(fixed)[0]} is read once, before the first step; "
                f"expected some of {', '.join(sorted(free))}"
            )
        found.append(Stage(total - steps, found[-1].exp.changed(**phase.settings)))
    return tuple(found)


@dataclass(frozen=True)
class SampleSchedule:
    """Sample builder of every step, for the loader workers.

    It holds sample builders and numbers only, since a class of a user's file cannot be pickled to a
    spawned process.

    Attributes:
        starts: first step of each stage.
        sizes: of each stage, the input's size at a step.
        draws: of each stage, by size.
    """

    starts: tuple[int, ...]
    sizes: tuple[SizeRule, ...]
    draws: tuple[dict[Size, SampleBuilder], ...]

    @staticmethod
    def of(run: tuple[Stage, ...]) -> SampleSchedule:
        """Build the sample builders of all stages and sizes; each is a few numbers."""
        sizes = tuple(stage.exp.build_size_rule() for stage in run)
        draws = tuple(
            {size: stage.exp.train_sample_builder(size) for size in rule.sizes}
            for stage, rule in zip(run, sizes)
        )
        return SampleSchedule(tuple(stage.start for stage in run), sizes, draws)

    def __call__(self, step: int) -> SampleBuilder:
        """Return the sample builder of the (0-based) step."""
        stage = bisect_right(self.starts, step) - 1
        return self.draws[stage][self.sizes[stage](step)]
