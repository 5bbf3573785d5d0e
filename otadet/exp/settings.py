"""Typed, frozen, typo-proof settings: annotated class attributes of a Python class.

A subclass overrides by assigning; an instance may be made with further overrides. A name that
does not exist or a value of another type raises at once and names the nearest setting.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
import math
import textwrap
import types
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from otadet.errors import InputError
from otadet.exp.sizes import parse_size
from otadet.foreign import ours

_BOOLS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class Settings:
    """Base of :class:`~otadet.exp.base.Exp`: everything about names and types, nothing else."""

    ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    """Smallest and largest value of settings that are numbers, by name."""
    spans: ClassVar[tuple[str, ...]] = ()
    """Settings whose two numbers are a smallest and a largest value."""
    sizes: ClassVar[tuple[str, ...]] = ()
    """Settings that are a height and a width, for which one number may stand."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if name.startswith("_") or callable(value) or inspect.isdatadescriptor(value):
                continue
            if isinstance(value, (classmethod, staticmethod)) or name in _class_vars(cls):
                continue
            where = f"{cls.__module__}.{cls.__qualname__}"
            hint = cls.hints().get(name)
            if hint is None:
                raise InputError(f"{where}: {cls._unknown(name)}")
            setattr(cls, name, check(value, hint, f"{where}.{name}"))

    def __init__(self, **overrides: Any) -> None:
        hints = self.hints()
        # Sizes come last: what one number stands for depends on other settings.
        for name, value in sorted(overrides.items(), key=lambda item: item[0] in self.sizes):
            if name not in hints:
                raise InputError(self._unknown(name))
            if name in self.sizes and type(value) is int:
                value = self._whole(name, value)
            object.__setattr__(self, name, check(value, hints[name], f"setting {name}"))
        self._check_ranges()

    def _whole(self, name: str, side: int) -> tuple[int, int]:
        """Height and width of a setting of :attr:`sizes` of which one number was given."""
        return side, side

    def _check_ranges(self) -> None:
        for name, (low, high) in self.ranges.items():
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if number is not None and not low <= number <= high:
                    span = f"{low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
                    raise InputError(f"setting {name}: expected {span}, got {number!r}")
        for name in self.spans:
            pair = getattr(self, name)
            if pair is not None and pair[0] > pair[1]:
                got = f"{pair[0]:g},{pair[1]:g}"
                raise InputError(f"setting {name}: expected the smaller number first, got {got}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"settings do not change after creation; make another with {name}={value!r}"
        )

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """Type of every setting by name, base classes first."""
        hidden = _class_vars(cls)
        return {
            name: hint
            for name, hint in get_type_hints(cls).items()
            if name not in hidden and not name.startswith("_")
        }

    @classmethod
    def parse(cls, words: Iterable[str]) -> dict[str, Any]:
        """Overrides from a command line: ``key=value`` words, or YOLOX's ``key value`` pairs.

        Raises:
            InputError: for an unknown name, a value of another type, or a word too many.
        """
        hints = cls.hints()
        overrides: dict[str, Any] = {}
        rest = list(words)
        while rest:
            word = rest.pop(0)
            key, equals, text = word.partition("=")
            if key not in hints and not equals and not key.isidentifier():
                raise InputError(
                    f"expected settings as key=value, got {word!r}; a folder of data is given as "
                    f"data_dir={word}, other paths by options (--help)"
                )
            if key not in hints:
                raise InputError(cls._unknown(key, text if equals else "".join(rest[:1])))
            if not equals:
                if not rest:
                    raise InputError(f"setting {key}: expected a value after it, got nothing")
                text = rest.pop(0)
            where = f"setting {key}"
            overrides[key] = (
                parse_size(text, where) if key in cls.sizes
                else parse_value(text, hints[key], where)
            )  # fmt: skip
        return overrides

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """What the string below each setting says, in one line; settings without one are left
        out."""
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            if issubclass(base, Settings):
                found.update(_strings_below(base))
        return found

    def listing(self) -> str:
        """Every setting with its value as a command takes it, what it takes, and its meaning."""
        meanings, lines = self.meanings(), []
        for name, hint in self.hints().items():
            word = f"{name}={as_word(getattr(self, name))}"
            lines += textwrap.wrap(f"{word:<34} {describe(hint)}", 100, subsequent_indent=" " * 35)
            if name in meanings:
                lines += textwrap.wrap(
                    meanings[name], 96, initial_indent="    ", subsequent_indent="    "
                )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, as plain values that a checkpoint may hold."""
        return {name: _plain(getattr(self, name)) for name in self.hints()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The inverse of :meth:`as_dict`; entries this version does not know are left out."""
        hints = cls.hints()
        return {k: check(v, hints[k], f"setting {k}") for k, v in values.items() if k in hints}

    @classmethod
    def _unknown(cls, name: str, value: str = "") -> str:
        if meant := ours(name, value):
            return f"{name}: {meant} (--help-settings lists all settings)"
        near = difflib.get_close_matches(name, list(cls.hints()), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown setting {name!r} of {cls.__name__}{hint} (--help-settings lists them all)"


def _class_vars(cls: type) -> set[str]:
    found: set[str] = set()
    for base in cls.__mro__:
        for name, annotation in vars(base).get("__annotations__", {}).items():
            if "ClassVar" in str(annotation):
                found.add(name)
    return found


def check(value: Any, hint: Any, where: str) -> Any:
    """``value`` as ``hint`` asks for it (an int may stand for a float, a list for a tuple).

    Raises:
        InputError: saying what was expected at ``where`` and what came.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        inner = [a for a in args if a is not type(None)]
        if len(inner) == 1:
            return check(value, inner[0], where)
    elif origin is Literal:
        if value in args:
            return value
    elif origin is tuple and isinstance(value, (tuple, list)):
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(check(v, args[0], where) for v in value)
        if len(value) == len(args):
            return tuple(check(v, a, where) for v, a in zip(value, args))
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif hint in (int, bool, str) and type(value) is hint:
        return value
    known = [a for a in args if isinstance(a, str)] if origin is Literal else []
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.5)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"{where}: expected {describe(hint)}, got {value!r}{meant}")


def parse_value(text: str, hint: Any, where: str) -> Any:
    """A command line's word as a value of type ``hint``; ``none`` and ``1e-3`` are understood."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType) and type(None) in args:
        if text.lower() == "none":
            return None
        inner = [a for a in args if a is not type(None)]
        return parse_value(text, inner[0], where)
    if origin is tuple:
        words = [w for w in text.strip("()[] ").split(",") if w.strip()]
        kinds = [args[0]] * len(words) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(words):
            raise InputError(f"{where}: expected {describe(hint)}, got {text!r}")
        return tuple(parse_value(w.strip(), k, where) for w, k in zip(words, kinds))
    value: Any = text
    if hint is bool:
        value = _BOOLS.get(text.lower(), text)
    elif hint in (int, float):
        try:
            value = hint(text)
        except ValueError:
            value = text
    return check(value, hint, where)


def describe(hint: Any) -> str:
    """A type as a person would say it."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if a is type(None) else describe(a) for a in args)
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is tuple:
        if args[-1] is Ellipsis:
            return f"any number of {describe(args[0])}, with commas"
        return f"{len(args)} values, with commas"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(hint, str(hint))


def as_word(value: Any) -> str:
    """A value as it stands behind ``key=`` on a command line."""
    if isinstance(value, tuple):
        return ",".join(as_word(each) for each in value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _strings_below(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):  # a class without a file
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        entry.target.id: " ".join(below.value.value.split())
        for entry, below in itertools.pairwise(body)
        if isinstance(entry, ast.AnnAssign)
        and isinstance(entry.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value
