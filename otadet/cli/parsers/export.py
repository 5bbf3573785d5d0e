"""The options of ``tools/export.py``, also called ``tools/export_onnx.py``."""

from __future__ import annotations

import argparse
from typing import get_args

from otadet.choices import Dynamic
from otadet.cli.parsers.base import CHECKPOINT_HELP, Parser, add_experiment_arguments

FORMATS = ("onnx", "torchscript", "torch_export")


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Write a checkpoint as a file for use without training code. The file is read "
        "back and compared with the network; it is kept only where both agree. Its metadata hold "
        "class names, resize rule and thresholds.",
        epilog="example:\n  python tools/export.py -n ota_r50 -c best.pth --output ota_r50.onnx",
    )
    add_experiment_arguments(p)
    p.add_argument("-c", "--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    p.add_argument("--output", required=True, metavar="FILE", help="the file to write")
    p.add_argument(
        "--format", choices=FORMATS, default="onnx",
        help="onnx (default); torch_export, which torch.export.load reads (.pt2); torchscript, "
        "which torch.jit.load reads, also in C++ (deprecated by torch)",
    )  # fmt: skip
    p.add_argument(
        "--dynamic", choices=get_args(Dynamic), default="none",
        help="axes of the input that are free: none (default), batch, hw (height and width), all",
    )  # fmt: skip
    p.add_argument(
        "--nms",
        action="store_true",
        help="end in NMS: detections instead of the boxes and scores of all points (ONNX only)",
    )
    p.add_argument("--uint8", action="store_true", help="uint8 input; float32 otherwise")
    p.add_argument("--opset", type=int, default=18, metavar="N", help="18 (default) or newer")
    p.add_argument(
        "--verify", metavar="PATH",
        help="image or folder of images to compare on (default: generated images)",
    )  # fmt: skip
    _add_int8_arguments(p)
    return p


def _add_int8_arguments(parser: argparse.ArgumentParser) -> None:
    """``--int8``, ``--int8-limit`` and ``--force``."""
    group = parser.add_argument_group("int8 (ONNX only)")
    group.add_argument(
        "--int8", metavar="PATH",
        help="also write NAME.int8.onnx, calibrated on the images of this folder",
    )  # fmt: skip
    group.add_argument(
        "--int8-limit", type=float, default=0.05, metavar="D",
        help="the int8 file is not kept where it loses more than this of AP on the validation set "
        "(default 0.05), or without one, of the detections on the calibration images",
    )  # fmt: skip
    group.add_argument("--force", action="store_true", help="keep the int8 file whatever it loses")
