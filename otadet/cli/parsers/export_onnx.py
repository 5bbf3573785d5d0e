"""The options of ``tools/export_onnx.py``."""

from __future__ import annotations

import argparse
from typing import get_args

from otadet.choices import Dynamic
from otadet.cli.parsers.base import CHECKPOINT_HELP, Parser, add_experiment_arguments


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Write a checkpoint as an ONNX file. The file is run with onnxruntime and "
        "compared with torch; it is kept only if both say the same.",
        epilog="python tools/export_onnx.py -n ota_r50 -c best.pth --output ota_r50.onnx",
    )
    add_experiment_arguments(p)
    p.add_argument("-c", "--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    p.add_argument("--output", required=True, metavar="FILE", help="the file to write")
    p.add_argument(
        "--dynamic", choices=get_args(Dynamic), default="none",
        help="axes of the input that are free: none (default), batch, hw (height and width), all",
    )  # fmt: skip
    p.add_argument("--nms", action="store_true", help="detections instead of all points")
    p.add_argument("--uint8", action="store_true", help="uint8 input; float32 otherwise")
    p.add_argument("--opset", type=int, default=18, metavar="N", help="18 (default) or newer")
    p.add_argument(
        "--verify", metavar="PATH",
        help="picture or folder of pictures to compare on (default: generated ones)",
    )  # fmt: skip
    _add_int8_arguments(p)
    return p


def _add_int8_arguments(parser: argparse.ArgumentParser) -> None:
    """``--int8``, ``--int8-limit`` and ``--force``."""
    group = parser.add_argument_group("int8 (ONNX alone)")
    group.add_argument(
        "--int8", metavar="PATH",
        help="also write NAME.int8.onnx, with ranges from the pictures of this folder",
    )  # fmt: skip
    group.add_argument(
        "--int8-limit", type=float, default=0.05, metavar="D",
        help="the int8 file is not kept where it loses more: AP on the validation set, as 0.05 "
        "(default), or without one, share of detections on the calibration pictures",
    )  # fmt: skip
    group.add_argument("--force", action="store_true", help="keep the int8 file all the same")
