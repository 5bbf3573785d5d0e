"""Networks as ONNX files that say all that is needed to use them, and are proven equal."""

from otadet.export.metadata import FORMAT, metadata, write_metadata
from otadet.export.onnx_graph import OnnxExport, require_onnxruntime, to_onnx
from otadet.export.options import Dynamic, ExportOptions, ResizeRule
from otadet.export.verify import BOX_LIMIT, SCORE_LIMIT, Trial, Verification, verify

__all__ = [
    "BOX_LIMIT",
    "FORMAT",
    "SCORE_LIMIT",
    "Dynamic",
    "ExportOptions",
    "OnnxExport",
    "ResizeRule",
    "Trial",
    "Verification",
    "metadata",
    "require_onnxruntime",
    "to_onnx",
    "verify",
    "write_metadata",
]
