"""Export of detectors to ONNX, TorchScript and torch.export, verified against the network."""

from otadet.choices import Dynamic
from otadet.export.metadata import FORMAT, metadata, strides_of, write_metadata
from otadet.export.onnx_graph import OnnxExport, require_onnxruntime, to_onnx
from otadet.export.options import ExportOptions, ResizeRule
from otadet.export.quantize import Int8, quantize
from otadet.export.session import OnnxDetector
from otadet.export.torch_programs import (
    METADATA_FILE,
    ProgramFormat,
    load_program,
    read_metadata,
    save_program,
)
from otadet.export.verify import (
    BOX_LIMIT,
    SCORE_LIMIT,
    Trial,
    Verification,
    sample_batches,
    verify,
    verify_run,
)

__all__ = [
    "BOX_LIMIT",
    "FORMAT",
    "METADATA_FILE",
    "SCORE_LIMIT",
    "Dynamic",
    "ExportOptions",
    "Int8",
    "OnnxDetector",
    "OnnxExport",
    "ProgramFormat",
    "ResizeRule",
    "Trial",
    "Verification",
    "load_program",
    "metadata",
    "quantize",
    "read_metadata",
    "require_onnxruntime",
    "sample_batches",
    "save_program",
    "strides_of",
    "to_onnx",
    "verify",
    "verify_run",
    "write_metadata",
]
