"""Options at test time that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, get_args

from otadet.errors import InputError
from otadet.exp import Exp
from otadet.geometry import Size
from otadet.soft_nms import NmsKind


def add_test_arguments(parser: argparse.ArgumentParser) -> None:
    """``--size``, ``--nms`` and ``--nms-kind``."""
    parser.add_argument(
        "--size", metavar="N or HxW", help="input size in pixels in place of the checkpoint's"
    )
    parser.add_argument(
        "--nms",
        type=float,
        metavar="IOU",
        help="overlap (IoU) beyond which NMS acts, in place of the checkpoint's",
    )
    parser.add_argument(
        "--nms-kind", choices=get_args(NmsKind), metavar="KIND",
        help="hard: drop what a better box overlaps; linear, gaussian: lower its score (soft-NMS)",
    )  # fmt: skip


def add_precision_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """``--fp32``, ``--fp16`` and ``--bf16``, of which one may be given, as ``args.precision``."""
    group = parser.add_mutually_exclusive_group()
    for name, text in (
        ("fp32", f"single precision; default: {default}"),
        ("fp16", "half precision, in training with loss scaling (GPU)"),
        ("bf16", "bfloat16, on GPUs and recent CPUs"),
    ):
        group.add_argument(
            f"--{name}", dest="precision", action="store_const", const=name, help=text
        )


def test_overrides(args: argparse.Namespace) -> Callable[[Exp], dict[str, Any]]:
    """What the options of :func:`add_test_arguments` and ``--conf`` change in an experiment.

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
