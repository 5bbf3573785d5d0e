"""Plan a run of some minutes from the time that its steps and evaluations take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loguru import logger

from otadet.engine.plan import Plan

EVALUATIONS, MOST_EVALUATIONS = 0.1, 10
"""Share of the time for evaluations, and the most of them."""

FIRST_STEPS, FIRST_SHARE = 20, 0.02
"""The first plan comes after so many timed steps, or four in this share of the time."""

REPORT, EXIT = 0.23, 0.25
"""CPU time of the report, where it was not tried, and of the end of the process, over that until
the first step: 1.5 and 1.6 of 6.5 s on BCCD."""

MOST_CROWDED = 8.0
"""Largest ratio of time to CPU time that is believed: a GPU's steps take little CPU time."""

REHEARSAL = 0.05
"""Share of the time that a report before the end may take, as far as it can be foreseen."""

LATE, EARLY = 0.02, 0.03
"""Shares of the time: by more the end is not allowed to be later or earlier than planned."""

BEFORE_FIXED = 0.8
"""Share of the steps until the plan is fixed, with an evaluation, that hold earlier ones."""

_UNTIMED = 2
"""First steps, in which libraries choose their kernels."""


def process_start() -> float:
    """Return when this process was started, in seconds of ``time.time()``.

    Where the system does not say: now.
    """
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
        return time.time() - uptime + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.time()


@dataclass
class TimeBudget:
    """What a run by time knows of its speed, and the plans that follow.

    Attributes:
        minutes: of the whole run: start, evaluations and report included.
        began: when its command was started, ``clock``'s seconds.
        before: seconds that a resumed run took before.
        falls: share of the run after which the learning rate falls; the plan is fixed then.
        validation: validation images over those of a step, to estimate an evaluation.
        clock: returns seconds.
        cpu: returns the CPU seconds of this process.
        start: CPU seconds until the first step; report and end of the process are taken from it.
        timed: steps that were timed.
        stepping: seconds of these.
        computing: CPU seconds of these.
        evaluating: seconds of the last evaluation; ``None`` before the first.
        reporting: seconds of the report; ``None`` where it was not tried.
    """

    minutes: float
    began: float
    falls: float
    validation: float
    before: float = 0.0
    clock: Callable[[], float] = time.time
    cpu: Callable[[], float] = time.process_time
    start: float = 0.0
    timed: int = 0
    stepping: float = 0.0
    computing: float = 0.0
    evaluating: float | None = None
    reporting: float | None = None
    _steps: int = field(default=0, repr=False)
    _last: tuple[float, float] = field(default=(0.0, 0.0), repr=False)

    @property
    def seconds(self) -> float:
        """Length of the run."""
        return 60 * self.minutes

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return self.before + self.clock() - self.began

    def begin(self) -> None:
        """Note that the first step comes next, also after a pause."""
        self._last = self.clock(), self.cpu()
        if not self._steps:
            self.start = self._last[1]

    def step(self) -> None:
        """Note the end of a step."""
        now = self.clock(), self.cpu()
        self._steps += 1
        if self._steps > _UNTIMED:
            self.timed += 1
            self.stepping += now[0] - self._last[0]
            self.computing += now[1] - self._last[1]
        self._last = now

    @property
    def pace(self) -> float:
        """Seconds a step."""
        return max(self.stepping / max(self.timed, 1), 1e-6)

    @property
    def evaluation(self) -> float:
        """Seconds of an evaluation; before the first one half of a step an image."""
        if self.evaluating is not None:
            return self.evaluating
        return 0.5 * self.pace * self.validation

    @property
    def ending(self) -> float:
        """Seconds after the last step: evaluation, report, end of the process."""
        report = self.reporting if self.reporting is not None else REPORT * self.overhead
        return self.evaluation + report + EXIT * self.overhead

    @property
    def overhead(self) -> float:
        """Seconds that what came before the first step would take on the machine as it is now."""
        crowded = self.stepping / max(self.computing, 1e-9)
        return self.start * min(max(crowded, 1.0), MOST_CROWDED)

    def knows_pace(self) -> bool:
        """Whether enough steps were timed for the first plan."""
        enough = self.stepping >= FIRST_SHARE * self.seconds or self.spent >= self.seconds / 4
        return self.timed >= FIRST_STEPS or (self.timed >= 4 and enough)

    def should_fix(self) -> bool:
        """Whether the learning rate would fall soon, so that the plan has to be fixed."""
        return self.timed > 0 and self.spent >= self.falls * self.seconds

    def can_evaluate(self) -> bool:
        """Whether an evaluation before the last one is worth its time."""
        return self.evaluation <= EVALUATIONS * self.seconds

    def can_rehearse(self) -> bool:
        """Whether a report before the last one, whose time is known then, is worth its time."""
        return REPORT * self.overhead <= REHEARSAL * self.seconds

    def plan(self, step: int, fixed: bool) -> Plan:
        """Plan the rest of the run from step ``step`` on."""
        left = self.seconds - self.spent - self.ending
        count = self._evaluations(fixed)
        rest = max(1, int((left - count * self.evaluation) / self.pace))
        end = step + rest
        at = (step + rest * (i + 1) // (count + 1) for i in range(count))
        latest = end if fixed else BEFORE_FIXED * self.falls * end  # then comes that of the fixing
        return Plan(end, end, tuple(s for s in dict.fromkeys(at) if step < s < latest), fixed)

    def _evaluations(self, fixed: bool) -> int:
        """Evaluations before the last one."""
        if not self.can_evaluate():
            return 0
        count = int(min(EVALUATIONS * self.seconds / max(self.evaluation, 1e-6), MOST_EVALUATIONS))
        return count // 2 if fixed else count

    def tell(self, step: int, plan: Plan, before: Plan, epoch_steps: int) -> None:
        """Log a plan that takes the place of another."""
        if before.fixed:
            logger.info(
                "the machine's speed has changed: the run ends at step {} instead of {}",
                plan.end, before.end,
            )  # fmt: skip
            return
        logger.info(
            "{:g} minutes: {} steps = {:.1f} epochs; {:.2f} s a step, {:.1f} s an evaluation, "
            "{:.0f} s so far at step {}{}", self.minutes, plan.end, plan.end / epoch_steps,
            self.pace, self.evaluation, self.spent, step, "; fixed" if plan.fixed else "",
        )  # fmt: skip
        if plan.fixed and plan.end < epoch_steps:
            logger.warning(
                "{:g} minutes are not enough for an epoch: {} of its {} steps are taken, each "
                "with images that were not seen before", self.minutes, plan.end, epoch_steps,
            )  # fmt: skip

    def moved_end(self, step: int, plan: Plan) -> Plan:
        """Return the plan with its end moved where the machine's speed has changed since.

        Learning rate and phases stay as they are: steps are left out, or come at the last rate.
        """
        late = self.spent + self.ending - self.seconds
        if step < plan.end and late > LATE * self.seconds:
            return Plan(plan.steps, step, plan.evaluations)
        if step == plan.end and late < -EARLY * self.seconds:
            return Plan(plan.steps, step + max(1, int(-late / self.pace)), plan.evaluations)
        return plan
