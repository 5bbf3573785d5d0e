"""The options of ``tools/export.py``."""

from __future__ import annotations

from otadet.cli.parsers import export_onnx
from otadet.cli.parsers.base import Parser

FORMATS = ("onnx", "torchscript", "torch_export")


def parser(prog: str | None = None) -> Parser:
    """The options of ``export_onnx.py``, and the format."""
    p = export_onnx.parser(prog)
    p.description = (
        "Write a checkpoint as a file for use without training code. The file is run and compared "
        "with torch; it is kept only if both say the same. Its metadata hold class names, resize "
        "rule and thresholds."
    )
    p.epilog = "python tools/export.py -c best.pth --format torch_export --output best.pt2"
    p.add_argument(
        "--format", choices=FORMATS, default="onnx",
        help="onnx (default); torchscript, which torch.jit.load reads, also in C++; torch_export, "
        "which torch.export.load reads (.pt2)",
    )  # fmt: skip
    return p
