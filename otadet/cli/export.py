"""``tools/export.py``: a checkpoint as a file of a chosen format, proven before it is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from otadet.cli import export_onnx
from otadet.cli.export_common import keep_if_proven, requested
from otadet.cli.parsers.export import parser
from otadet.errors import InputError
from otadet.export import (
    ProgramFormat,
    Verification,
    load_program,
    save_program,
    verify_run,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Export, prove, and only then give the file its name; 1 where the proof fails."""
    if args.format == "onnx":
        return export_onnx.run(args)
    if args.nms:
        raise InputError(f"--nms: expected with --format onnx alone, got {args.format}")
    if args.int8:
        raise InputError(f"--int8: expected with --format onnx alone, got {args.format}")
    request = requested(args)
    if request is None:
        return 0
    kind: ProgramFormat = args.format
    model, postprocess, options = request.model, request.postprocess, request.options

    def save(path: Path) -> None:
        save_program(path, kind, model, postprocess, options, request.entries())

    def prove(path: Path) -> Verification:
        run = load_program(path, kind, options.uint8)
        return verify_run(run, model, postprocess, options, request.batches)

    # Torch's archives want their ending.
    ending = ".part.pt2" if kind == "torch_export" else ".part.pt"
    return keep_if_proven(request, {"exporter": kind}, ending, save, prove)
