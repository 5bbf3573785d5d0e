"""``tools/export_onnx.py``: a checkpoint as an ONNX file that is proven before it is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import onnx

from otadet.cli.export_common import keep_if_proven, requested
from otadet.cli.export_int8 import Reduction
from otadet.cli.parsers.export_onnx import parser
from otadet.export import (
    Verification,
    require_onnxruntime,
    to_onnx,
    verify,
    write_metadata,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Export, prove, and only then give the file its name; 1 where the proof fails."""
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
    code = keep_if_proven(request, about, ".part", save, prove)
    if code or reduction is None:
        return code
    return reduction.write(onnx.load_model(str(request.output)), request)
