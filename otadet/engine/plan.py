"""Length of a run: in steps from the start, or planned from the time that steps take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otadet.schema import listed, number, one_of, optional, record, whole

_STEPS = whole(1, 10**12)
SCHEMA = record({
    "end": _STEPS, "steps": _STEPS, "fixed": one_of(True, False), "spent": number(0),
    "evaluations": optional(listed(_STEPS)),
})  # fmt: skip
"""What a checkpoint holds of a run by time: the plan, and the seconds that it took so far."""


@dataclass(frozen=True)
class Plan:
    """Length of a run.

    Attributes:
        steps: that learning rate, averaged weights and phases are made for.
        end: steps after which the run ends; other than ``steps`` where the machine's speed changed
            after the plan was fixed.
        evaluations: steps after which a run by time is evaluated; ``None``: by ``eval_interval``.
        fixed: whether ``steps`` will change no more.
    """

    steps: int
    end: int
    evaluations: tuple[int, ...] | None = None
    fixed: bool = True

    @staticmethod
    def of_steps(steps: int) -> Plan:
        """Plan a run of so many steps."""
        return Plan(steps, steps)

    def saved(self, spent: float) -> dict[str, Any]:
        """Return plain values for a checkpoint.

        Args:
            spent: seconds that the run took so far.
        """
        evaluations = None if self.evaluations is None else list(self.evaluations)
        return {"steps": self.steps, "end": self.end, "fixed": self.fixed, "spent": spent,
                "evaluations": evaluations}  # fmt: skip

    @staticmethod
    def load(saved: Mapping[str, Any]) -> Plan:
        """Return the plan of a checkpoint."""
        evaluations = None if saved["evaluations"] is None else tuple(saved["evaluations"])
        return Plan(saved["steps"], saved["end"], evaluations, saved["fixed"])
