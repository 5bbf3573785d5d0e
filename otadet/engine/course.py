"""What follows from the number of steps of a run: phases, learning rate, averaged weights."""

from __future__ import annotations

from dataclasses import dataclass

from otadet.engine.ema import cap_decay, ema_ramp
from otadet.engine.stages import SampleSchedule, Stage, build_stages
from otadet.exp import BaseExp
from otadet.optim import Schedule


@dataclass(frozen=True, eq=False)
class Course:
    """What follows from the number of steps of a run.

    Attributes:
        stages: the experiment's phases, the first one from step 0 on.
        samples: sample builder of every step.
        schedule: learning rate of every step.
        ema_decay: final decay of the averaged weights; 0 turns them off.
        ema_ramp: steps until it is reached, about.
    """

    stages: tuple[Stage, ...]
    samples: SampleSchedule
    schedule: Schedule
    ema_decay: float
    ema_ramp: float

    @staticmethod
    def of(exp: BaseExp, steps: int, epoch_steps: int, batch_size: int) -> Course:
        """Build the course of a run of ``steps`` steps."""
        stages = build_stages(exp, steps, epoch_steps)
        hold = steps - stages[-1].start if len(stages) > 1 else 0
        return Course(
            stages,
            SampleSchedule.of(stages),
            exp.build_schedule(steps, batch_size, hold),
            cap_decay(exp.ema_decay, steps),
            ema_ramp(steps),
        )

    def stage(self, step: int) -> Stage:
        """Return the stage that a step belongs to."""
        return [stage for stage in self.stages if stage.start <= step][-1]
