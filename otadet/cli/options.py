"""Test-time options shared by several commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from otadet.exp import BaseExp
from otadet.exp.sizes import parse_size, whole_size


def test_overrides(args: argparse.Namespace) -> Callable[[BaseExp], dict[str, Any]]:
    """Map ``--size``, ``--tile``, ``--nms``, ``--nms-kind`` and ``--conf`` to settings.

    Raises:
        InputError: the size is malformed.
    """
    size = parse_size(args.size, "--size") if args.size else None

    def changes(exp: BaseExp) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if size is not None:
            values["test_size"] = whole_size(size, exp.resize, exp.test_size)
        if getattr(args, "tile", None) is not None:
            values["tile"] = args.tile or None
        if args.nms is not None:
            values["nms_threshold"] = args.nms
        if args.nms_kind is not None:
            values["nms_kind"] = args.nms_kind
        conf = getattr(args, "conf", None)
        if conf is not None and conf < exp.score_threshold:
            values["score_threshold"] = conf
        return values

    return changes
