"""Options at test time that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

from otadet.errors import InputError
from otadet.exp import Exp
from otadet.geometry import Size


def test_overrides(args: argparse.Namespace) -> Callable[[Exp], dict[str, Any]]:
    """What ``--size``, ``--nms``, ``--nms-kind`` and ``--conf`` change in an experiment.

    Raises:
        InputError: for a size that is none.
    """
    size = parse_size(args.size) if args.size else None

    def changes(exp: Exp) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if size is not None:
            values["test_size"] = scaled_size(exp, size)
        if args.nms is not None:
            values["nms_threshold"] = args.nms
        if args.nms_kind is not None:
            values["nms_kind"] = args.nms_kind
        conf = getattr(args, "conf", None)
        if conf is not None and conf < exp.score_threshold:
            values["score_threshold"] = conf
        return values

    return changes


def scaled_size(exp: Exp, size: int | Size) -> Size:
    """``test_size`` for one number or two: one is the side of a square, or of ``shortest`` the
    shorter side with the longer in the proportion of before."""
    if not isinstance(size, int):
        return size
    if exp.resize == "letterbox":
        return size, size
    short, longest = exp.test_size
    return size, round(longest * size / short)


def parse_size(text: str) -> int | Size:
    """``640`` or ``480x640`` (height x width).

    Raises:
        InputError: for anything else.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})(?:[xX,]([1-9]\d{0,4}))?", text)
    if match is None:
        raise InputError(f"--size: expected 640 or 480x640 (height x width), got {text!r}")
    return int(match[1]) if match[2] is None else (int(match[1]), int(match[2]))
