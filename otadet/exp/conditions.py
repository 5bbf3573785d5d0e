"""Settings that have an effect only beside another: what that other one has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otadet.exp.values import as_word


@dataclass(frozen=True)
class Condition:
    """When a setting has an effect.

    Attributes:
        other: the setting that decides.
        needs: what it has to be, for the error.
        holds: whether the settings (an instance or a class) are so.
        reader: the factory that reads the setting. An experiment with a factory of its own in its
            place may read the setting as it likes.
        also: another condition that has to hold, too.
    """

    other: str
    needs: str
    holds: Callable[[Any], bool]
    reader: str = ""
    also: Condition | None = None

    def refusal(self, settings: Any) -> str:
        """Say why a setting has no effect among ``settings``; empty where it has one."""
        cls = settings if isinstance(settings, type) else type(settings)
        own = not getattr(getattr(cls, self.reader, None), "__module__", "otadet.").startswith(
            "otadet."
        )
        if own or self.holds(settings):
            return "" if self.also is None else self.also.refusal(settings)
        now = f"{self.other}={as_word(getattr(settings, self.other))}"
        return f"has no effect with {now}; it needs {self.needs}"


def when(other: str, *values: Any, reader: str = "", also: Condition | None = None) -> Condition:
    """Make the condition that ``other`` is one of ``values``."""
    needs = " or ".join(f"{other}={as_word(value)}" for value in values)

    def holds(settings: Any) -> bool:
        return getattr(settings, other) in values

    return Condition(other, needs, holds, reader, also)


def unless(other: str, value: Any, reader: str = "") -> Condition:
    """Make the condition that ``other`` is anything but ``value``."""
    needs = f"another {other}"
    return Condition(other, needs, lambda settings: getattr(settings, other) != value, reader)
