"""What a value from elsewhere may be: types, ranges, sizes; all that is wrong in one message.

A check takes a value and its place, and yields what is wrong with it::

    check = record({"step": whole(0, 100), "names": listed(text())})
    refuse(check({"step": -1, "names": ["a", 3]}, ""), "file x.pth")

raises ``file x.pth: step: expected a whole number from 0 to 100, got -1; names[1]: expected text,
got 3``.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from otadet.errors import InputError

Check = Callable[[Any, str], Iterator[str]]
"""Yields what is wrong with a value at a place."""

SHOWN = 10
"""Most faults in a message."""
MOST = 100_000
"""Most entries of a list or table."""
_LONGEST = 60  # characters of a value in a message


def refuse(faults: Iterable[str], where: str) -> None:
    """Raise the first faults of a file, if there are any.

    Raises:
        InputError: ``where``, and the faults.
    """
    found = list(itertools.islice(faults, SHOWN + 1))
    if found:
        more = "; and more" if len(found) > SHOWN else ""
        raise InputError(f"{where}: {'; '.join(found[:SHOWN])}{more}")


def faults_of(check: Check, value: Any, beyond: Callable[[Any], Iterator[str]]) -> Iterator[str]:
    """Yield the faults of a value; where there are none, those that concern several entries.

    Args:
        check: of its entries, one by one.
        value: what came from a file.
        beyond: what ``check`` cannot express; it may rely on it.
    """
    first = next(faults := check(value, ""), None)
    if first is None:
        yield from beyond(value)
    else:
        yield first
        yield from faults


def shown(value: object) -> str:
    """Describe a value of any type and size in a few words."""
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}...")
    if type(value) is int and abs(value) > 1 << 64:
        return f"a number of about {round(value.bit_length() * math.log10(2))} digits"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    size = f" of {len(value)}" if type(value) in (list, tuple, dict) else ""  # type: ignore[arg-type]
    return f"a {type(value).__name__}{size}"


def fault(place: str, expected: str, value: object) -> str:
    """One fault as text."""
    return f"{place + ': ' if place else ''}expected {expected}, got {shown(value)}"


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether a value is a dictionary whose methods are its own.

    A file can give an ``OrderedDict`` attributes of any name; a state dict has ``_metadata``.
    """
    if type(value) is OrderedDict:
        return vars(value).keys() <= {"_metadata"}
    return type(value) is dict


def whole(low: int = -(1 << 63), high: int = (1 << 63) - 1) -> Check:
    """A whole number within 64 bits."""
    span = _span(low, high, (1 << 63) - 1) if low > -(1 << 63) else ""
    return _number((int,), f"a whole number{span}", low, high)


def number(low: float = -sys.float_info.max, high: float = sys.float_info.max) -> Check:
    """A number; NaN and infinity are none."""
    span = _span(low, high, sys.float_info.max) if low > -sys.float_info.max else ""
    return _number((int, float), f"a number{span}", low, high)


def any_number(value: Any, place: str) -> Iterator[str]:
    """A number, also NaN or infinity."""
    if type(value) not in (int, float):
        yield fault(place, "a number", value)


def _span(low: float, high: float, highest: float) -> str:
    return f" of at least {low}" if high == highest else f" from {low} to {high}"


def _number(kinds: tuple[type, ...], expected: str, low: float, high: float) -> Check:
    def check(value: Any, place: str) -> Iterator[str]:
        if type(value) not in kinds or not low <= value <= high:
            yield fault(place, expected, value)

    return check


def text(longest: int = 10_000) -> Check:
    """A text."""

    def check(value: Any, place: str) -> Iterator[str]:
        if type(value) is not str:
            yield fault(place, "text", value)
        elif len(value) > longest:
            yield fault(place, f"at most {longest:,} characters", value)

    return check


def one_of(*choices: object) -> Check:
    """One of some texts, numbers, booleans."""

    def check(value: Any, place: str) -> Iterator[str]:
        if not any(type(value) is type(each) and value == each for each in choices):
            yield fault(place, "one of " + ", ".join(map(str, choices)), value)

    return check


def optional(check: Check) -> Check:
    """A value, or ``None``."""
    return lambda value, place: iter(()) if value is None else check(value, place)


def listed(each: Check, least: int = 0, most: int = MOST) -> Check:
    """A list or tuple."""
    sizes = f"{least}" if least == most else f"{least} to {most:,}"

    def check(value: Any, place: str) -> Iterator[str]:
        if type(value) not in (list, tuple):
            yield fault(place, "a list", value)
        elif not least <= len(value) <= most:
            yield f"{place}: expected {sizes} entries, got {len(value):,}"
        else:
            for index, entry in enumerate(value):
                yield from each(entry, f"{place}[{index}]")

    return check


def table(each: Check, key: Check | None = None, most: int = MOST) -> Check:
    """A dictionary with keys of one kind, by default text."""
    key = key or text(1000)

    def check(value: Any, place: str) -> Iterator[str]:
        if not is_dict(value):
            yield fault(place, "a dictionary", value)
        elif len(value) > most:
            yield f"{place}: expected at most {most:,} entries, got {len(value):,}"
        else:
            for name, entry in value.items():
                wrong = list(key(name, f"{place}: the key"))
                yield from wrong or each(entry, f"{place}[{shown(name)}]")

    return check


def record(required: Mapping[str, Check], possible: Mapping[str, Check] | None = None) -> Check:
    """A dictionary with these keys, and any others, which are not looked at."""
    possible = possible or {}

    def check(value: Any, place: str) -> Iterator[str]:
        if not is_dict(value):
            yield fault(place, "a dictionary", value)
            return
        inner = f"{place}." if place else ""
        for name, each in {**required, **possible}.items():
            if name in value:
                yield from each(value[name], inner + name)
            elif name in required:
                yield f"{inner}{name}: missing"

    return check


def plain(depth: int = 4, most: int = 10_000) -> Check:
    """Nothing, a truth value, a number, a text, or lists of them; ``most`` in all.

    A list that is named many times counts as often.
    """

    def check(value: Any, place: str) -> Iterator[str]:
        wrong = _implausible(value, depth, itertools.count(), most)
        if wrong:
            yield f"{place}: expected {wrong}"

    return check


def _implausible(value: Any, depth: int, counted: Iterator[int], most: int) -> str:
    """What is expected of a value in place of what it is; empty where nothing is wrong."""
    if next(counted) >= most:
        return f"at most {most:,} values"
    if type(value) in (list, tuple):
        if not depth:
            return "fewer lists inside lists"
        inner = (_implausible(each, depth - 1, counted, most) for each in value)
        return next(filter(None, inner), "")
    wanted, wrong = "text, a number, a truth value, or a list of them", False
    if type(value) is str:
        wanted, wrong = "at most 10,000 characters", len(value) > 10_000
    elif type(value) is int:
        wanted, wrong = "a number within 64 bits", abs(value) >= 1 << 63
    elif type(value) is float:
        wanted, wrong = "a number", math.isnan(value)
    elif value is not None and type(value) is not bool:
        wrong = True
    return f"{wanted}, got {shown(value)}" if wrong else ""


def _experiment(value: Any, place: str) -> Iterator[str]:
    """The name of a file without folder and ending: runs are kept in folders of this name."""
    name = value if type(value) is str and len(value) <= 200 and value.isprintable() else ""
    if not name.strip(".") or "/" in name or "\\" in name:
        yield fault(place, "the name of an experiment", value)


def _setting(value: Any, place: str) -> Iterator[str]:
    if type(value) is not str or len(value) > 100 or not value.isidentifier():
        yield fault(place, "the name of a setting", value)


EXPERIMENT: Check = _experiment
SETTINGS = table(plain(), key=_setting)
CLASS_NAMES = listed(text(), least=1)
