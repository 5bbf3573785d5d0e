"""Sizes as people give them: one number, or height and width."""

from __future__ import annotations

import re

from otadet.errors import InputError
from otadet.geometry import Size


def parse_size(text: str, where: str) -> int | Size:
    """Parse ``640``, or ``480x640`` and ``480,640``: height and width.

    Raises:
        InputError: for anything else; ``where`` is how the message calls it.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})(?:\s*[xX,]\s*([1-9]\d{0,4}))?", text.strip("()[] "))
    if match is None:
        raise InputError(f"{where}: expected 640 or 480x640 (height x width), got {text!r}")
    return int(match[1]) if match[2] is None else (int(match[1]), int(match[2]))


def whole_size(size: int | Size, resize: str, before: Size) -> Size:
    """Return both numbers of a size of which one was given.

    The side of a square, or where ``resize`` is ``shortest`` the shorter side, with the longer in
    the proportion of ``before``.
    """
    if not isinstance(size, int):
        return size
    if resize != "shortest":
        return size, size
    short, longest = before
    return size, round(longest * size / short)
