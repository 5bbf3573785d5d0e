"""Values of settings: checked against their type, read from a command's word, written as one."""

from __future__ import annotations

import types
from contextlib import suppress
from fractions import Fraction
from typing import Any, Literal, Union, get_args, get_origin

from otadet.errors import InputError
from otadet.texts import nearest

_BOOLS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_PLURAL = {int: "whole numbers", float: "numbers", str: "names"}


def check(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` as type ``hint`` (an int may stand for a float, a list for a tuple).

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
        for each in inner:
            with suppress(InputError):
                return check(value, each, where)
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
    near = nearest(str(value), known, 0.5)
    meant = f"; did you mean {near!r}?" if near else ""
    raise InputError(f"{where}: expected {describe(hint)}, got {value!r}{meant}")


def parse_value(text: str, hint: Any, where: str) -> Any:
    """Read a command line's word as type ``hint``; also ``none``, ``1e-3`` and ``2/3``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType) and type(None) in args:
        if text.lower() == "none":
            return None
        inner = [a for a in args if a is not type(None)]
        for each in inner[:-1]:
            with suppress(InputError):
                return parse_value(text, each, where)
        if len(inner) > 1:  # the last one's message would name that one alone
            return check(text, hint, where)
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
            value = float(Fraction(text)) if hint is float and "/" in text else hint(text)
        except (ValueError, ZeroDivisionError):
            value = text
    return check(value, hint, where)


def describe(hint: Any) -> str:
    """Describe a type in plain words: "a whole number, or none"."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [describe(a) for a in args if a is not type(None)]
        return ", or ".join([*inner, "none"] if type(None) in args else inner)
    if origin is Literal:
        return ("one of " if len(args) > 1 else "") + ", ".join(repr(a) for a in args)
    if origin is tuple and args[-1] is Ellipsis:
        if get_origin(args[0]) is Literal:
            return f"some of {describe(args[0]).removeprefix('one of ')}, separated by commas"
        return f"{_PLURAL.get(args[0], 'values')} separated by commas"
    if origin is tuple:
        return f"{len(args)} values separated by commas"
    return _NAMES.get(hint, str(hint))


def as_word(value: Any) -> str:
    """Write a value as it stands behind ``key=`` on a command line."""
    if isinstance(value, (tuple, list)):
        return ",".join(as_word(each) for each in value)
    if isinstance(value, float) and len(str(value)) > 10:
        short = Fraction(value).limit_denominator(1000)
        if float(short) == value:  # 2/3 rather than sixteen digits
            return str(short)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def plain(value: Any) -> Any:
    """Return the value with lists in place of tuples, as a checkpoint may hold it."""
    return [plain(v) for v in value] if isinstance(value, (tuple, list)) else value
