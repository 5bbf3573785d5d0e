"""``tools/export_onnx.py``: a checkpoint as an ONNX file that is proven before it is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import onnx

from otadet.cli.common import CHECKPOINT_HELP, add_experiment_arguments
from otadet.cli.export_common import keep_if_proven, requested
from otadet.cli.export_int8 import Reduction, add_int8_arguments
from otadet.export import (
    Dynamic,
    Verification,
    require_onnxruntime,
    to_onnx,
    verify,
    write_metadata,
)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        "export_onnx.py",
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
    add_int8_arguments(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Export, prove, and only then give the file its name; 1 where the proof fails."""
    return run(parser().parse_intermixed_args(argv))


def run(args: argparse.Namespace) -> int:
    """:func:`main` for options that have been parsed."""
    require_onnxruntime()
    import onnxruntime

    request = requested(args)
    if request is None:
        return 0
    reduction = Reduction.requested(args, request)
    postprocess, options = request.postprocess, request.options
    export = to_onnx(request.model, postprocess, options)
    write_metadata(export.model, request.entries())

    def save(path: Path) -> None:
        onnx.save_model(export.model, str(path))
        onnx.checker.check_model(str(path), full_check=True)

    def prove(path: Path) -> Verification:
        file = onnx.load_model(str(path))
        return verify(file, request.model, postprocess, options, request.batches)

    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    about = {"exporter": export.exporter, "opset": options.opset, "versions": versions}
    temporary = request.output.with_name(request.output.name + ".tmp")
    code = keep_if_proven(request, about, temporary, save, prove)
    if code or reduction is None:
        return code
    return reduction.write(onnx.load_model(str(request.output)), request)
