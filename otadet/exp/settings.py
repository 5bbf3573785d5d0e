"""Typed, frozen, typo-proof settings: annotated class attributes of a Python class.

A subclass overrides by assigning; an instance may be made with further overrides. A name that
does not exist, a value of another type and a value without effect beside the other settings raise
at once. Settings come in components, classes with a ``group``; an experiment has the settings of
those that it inherits and no others.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar, get_type_hints

from otadet.errors import InputError
from otadet.exp.conditions import Condition
from otadet.exp.parsing import called, is_changed, parse_words, register, unknown
from otadet.exp.values import as_word, check, plain

Ranges = Mapping[str, tuple[float, float]]
Conditions = Mapping[str, Condition]
S = TypeVar("S", bound="Settings")


class Settings:
    """Base of all components and experiments: everything about names and types, nothing else.

    Class attributes named below are merged over the base classes: a class states its own alone.
    """

    group: ClassVar[str] = ""
    """Heading of a component's settings in the listing; subclasses without one add to no group."""
    owner: ClassVar[str] = ""
    """Which experiments have a component, where not all have it."""
    ranges: ClassVar[Ranges] = {}
    """Smallest and largest value of settings that are numbers, by name."""
    spans: ClassVar[tuple[str, ...]] = ()
    """Settings whose two numbers are a smallest and a largest value."""
    sizes: ClassVar[tuple[str, ...]] = ()
    """Settings that are a height and a width, for which one number may stand."""
    conditions: ClassVar[Conditions] = {}
    """Settings that have an effect only beside another, by name."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Former names of settings; they are still accepted, with a notice."""
    in_phases: ClassVar[tuple[str, ...]] = ()
    """Settings of a component that a phase of a run may change."""

    _said: tuple[str, ...] = ()
    _idle: ClassVar[Mapping[str, str]] = {}
    """Settings that a class body changes although they have no effect beside its other settings,
    and where. An instance may have others, so only there it is an error."""
    _types: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "owner" in vars(cls):
            register(cls)
        where = f"{cls.__module__}.{cls.__qualname__}"
        for old in cls.merged("renamed").keys() & vars(cls).get("__annotations__", {}).keys():
            del cls.__annotations__[old]  # else it would be a setting of its own beside today's
        values = {
            name: value for name, value in [*vars(cls).items()] if _is_value(cls, name, value)
        }
        current, said = cls._current(values, where)
        for name in values.keys() - current.keys():
            delattr(cls, name)
        cls._said = (*cls._said, *said)
        hints, changed = cls.hints(), set()
        for name, value in current.items():
            if name not in hints:
                raise InputError(f"{where}: {unknown(cls, name)}")
            checked = check(value, hints[name], f"{where}.{name}")
            before = getattr(super(cls, cls), name, checked)
            setattr(cls, name, checked)
            if before != checked and checked:  # to switch off what is off already is no mistake
                changed.add(name)
        inherited = {k: v for k, v in cls._idle.items() if k not in current}
        cls._idle = {**inherited, **dict.fromkeys(_inert(cls, changed), f"{where}.")}

    def __init__(self, saved: Mapping[str, Any] | None = None, /, **overrides: Any) -> None:
        """Make settings.

        Args:
            saved: settings of a checkpoint or of another instance, by name. What this class does
                not have is dropped; of that and of what has no effect a notice tells where it was
                changed.
            overrides: replace the class's and the saved ones.

        Raises:
            InputError: an override has no such name, another type, or no effect.
        """
        kept, said = self._understood(saved or {})
        given, renamed = self._current(overrides, "setting")
        object.__setattr__(self, "_said", (*self._said, *said, *renamed))
        hints = self.hints()
        for name, value in kept.items():
            object.__setattr__(self, name, value)
        # Sizes come last: what one number stands for depends on other settings.
        for name in sorted(given, key=lambda name: name in self.sizes):
            if name not in hints:
                raise InputError(unknown(type(self), name))
            value = given[name]
            if name in self.sizes and type(value) is int:
                value = self._whole(name, value)
            given[name] = check(value, hints[name], f"setting {name}")
            object.__setattr__(self, name, given[name])
        self._check_ranges()
        changed = [n for n, v in given.items() if v not in (getattr(type(self), n), kept.get(n))]
        _refuse_inert(self, changed, "setting ")
        for name, where in self._idle.items():
            if getattr(self, name) == getattr(type(self), name):
                _refuse_inert(self, [name], where)
        self.validate()

    def validate(self) -> None:
        """Check settings against each other; subclasses add to it.

        Raises:
            InputError: they do not go together.
        """

    def changed(self: S, **values: Any) -> S:
        """Return a copy with other values for some settings."""
        return type(self)(self.as_dict(), **values)

    def notices(self) -> tuple[str, ...]:
        """Return what a command should tell about the settings before it begins, a line each."""
        return self._said

    def _whole(self, name: str, side: int) -> tuple[int, int]:
        """Height and width of a setting of :attr:`sizes` of which one number was given."""
        return side, side

    def _check_ranges(self) -> None:
        for name, (low, high) in self.merged("ranges").items():
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, (int, float)) and not low <= number <= high:
                    last = f"{high:,}" if isinstance(high, int) else f"{high:g}"
                    span = f"{low:g} to {last}" if high < math.inf else f"at least {low:g}"
                    raise InputError(f"setting {name}: expected {span}, got {number!r}")
        for base in type(self).__mro__:
            for name in vars(base).get("spans", ()):
                pair = getattr(self, name)
                if pair is not None and pair[0] > pair[1]:
                    got = f"{pair[0]:g},{pair[1]:g}"
                    raise InputError(
                        f"setting {name}: expected the smaller number first, got {got}"
                    )

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"settings do not change after creation; make another with {name}={value!r}"
        )

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """Return the type of every setting by name, base classes first."""
        return dict(_hints(cls))

    @classmethod
    def merged(cls, name: str) -> dict[str, Any]:
        """Return a mapping that every class states its part of, such as ``ranges``."""
        found: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            found.update(vars(base).get(name, {}))
        return found

    @classmethod
    def phase_settings(cls) -> set[str]:
        """Return the settings that a phase of a run may change.

        Those that the components allow, and those that a class outside of any component adds.
        """
        bases = [b for b in cls.__mro__ if issubclass(b, Settings)]
        components = [b for b in bases if vars(b).get("group")]
        fixed = {name for b in components for name in vars(b).get("__annotations__", {})}
        free = {name for b in components for name in b.in_phases}
        return (_hints(cls).keys() - fixed) | free

    @classmethod
    def parse(cls, words: Iterable[str]) -> dict[str, Any]:
        """Read overrides from a command line: ``key=value`` words, or YOLOX's ``key value`` pairs.

        Raises:
            InputError: for an unknown name, a value of another type, or a word too many.
        """
        return parse_words(cls, words)

    def as_dict(self) -> dict[str, Any]:
        """Return every setting by name, as plain values that a checkpoint may hold."""
        return {name: plain(getattr(self, name)) for name in self.hints()}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the values of the class by name, as plain values; alone they may be no run's.

        A class may leave a setting to each run beside which another first has an effect.
        """
        return {name: plain(getattr(cls, name)) for name in cls.hints()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what this class reads of a checkpoint's settings, as plain values.

        Names are today's; see ``saved`` of the constructor.
        """
        return {name: plain(value) for name, value in cls._understood(values)[0].items()}

    @classmethod
    def _understood(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        hints = cls.hints()
        current, said = cls._current(values, "saved setting")
        kept = {k: check(v, hints[k], f"setting {k}") for k, v in current.items() if k in hints}
        whole = cls.__new__(cls)
        for name, value in kept.items():
            object.__setattr__(whole, name, value)
        dropped = {k: v for k, v in current.items() if k not in hints and is_changed(k, v)}
        if dropped:
            words = ", ".join(f"{k}={as_word(v)}" for k, v in dropped.items())
            said.append(f"dropped, since {called(cls)} has no such settings: {words}")
        # Kept all the same: an override or a phase of the run may be what gives it an effect.
        for name, why in _inert(whole, kept).items():
            if kept[name] != getattr(cls, name):
                said.append(f"saved setting {name}={as_word(kept[name])} {why}")
        return kept, said

    @classmethod
    def _current(cls, values: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
        """Settings under today's names, and a notice for each former one."""
        current, said = dict(values), []
        hints = _hints(cls)
        for old, new in cls.merged("renamed").items():
            if old in current and old not in hints and new in hints:
                if new in current:
                    raise InputError(f"{where} {old}: is called {new} today; got both")
                current[new] = current.pop(old)
                said.append(f"{where} {old} is called {new} today: taking {new}={current[new]}")
        return current, said


def _hints(cls: type[Settings]) -> dict[str, Any]:
    if "_types" not in vars(cls):  # asked for each attribute of each class
        cls._types = _own_hints(cls)
    return cls._types


def _own_hints(cls: type[Settings]) -> dict[str, Any]:
    hidden = {
        name
        for base in cls.__mro__
        for name, annotation in vars(base).get("__annotations__", {}).items()
        if "ClassVar" in str(annotation)
    }
    return {
        name: hint
        for name, hint in get_type_hints(cls).items()
        if name not in hidden and not name.startswith("_")
    }


def _is_value(cls: type[Settings], name: str, value: Any) -> bool:
    """Whether an attribute in a class's body is meant as a setting."""
    if name.startswith("_") or callable(value) or inspect.isdatadescriptor(value):
        return False
    if isinstance(value, (classmethod, staticmethod, functools.cached_property)):
        return False
    return name in _hints(cls) or not any(
        name in vars(base).get("__annotations__", {}) for base in cls.__mro__
    )


def _inert(settings: Any, names: Iterable[str]) -> dict[str, str]:
    """Those of ``names`` that have no effect among the settings, with the reason."""
    conditions = settings.merged("conditions")
    reasons = {n: conditions[n].refusal(settings) for n in names if n in conditions}
    return {name: reason for name, reason in reasons.items() if reason}


def _refuse_inert(settings: Any, names: Iterable[str], where: str) -> None:
    for name, reason in _inert(settings, names).items():
        value = as_word(getattr(settings, name))
        raise InputError(f"{where}{name}={value} {reason}")
