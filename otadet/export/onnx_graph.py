"""Export of a detector to an ONNX graph, by torch's exporter."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
import torch
from loguru import logger
from onnx import ModelProto
from torch import Tensor
from torch.export import Dim

from otadet.errors import InputError
from otadet.export.nms_nodes import RAW_OUTPUTS, append_nms
from otadet.export.options import MULTIPLE, ExportOptions
from otadet.export.wrapper import Exportable, require_evaluation_mode
from otadet.models import Detector, is_deformable
from otadet.postprocess import Postprocess

Exporter = Literal["dynamo", "torchscript"]
"""Torch's new exporter, which needs onnxscript, or its older one."""

INPUT = "images"

DEFORM_OPSET = 19
"""The first opset with deformable convolutions."""

_AXES = {0: "batch", 2: "height", 3: "width"}


@dataclass(frozen=True, eq=False)
class OnnxExport:
    """An exported graph.

    Attributes:
        model: the graph, without metadata.
        exporter: ``dynamo``, or ``torchscript`` where onnxscript is not installed.
    """

    model: ModelProto
    exporter: str


def require_onnxruntime() -> None:
    """Check for onnxruntime, with which a file is verified.

    Raises:
        InputError: onnxruntime is not installed.
    """
    if not _installed("onnxruntime"):
        raise InputError("onnxruntime is not installed; pip install 'otadet[export]'")


def to_onnx(
    model: Detector,
    postprocess: Postprocess,
    options: ExportOptions,
    exporter: Exporter | None = None,
) -> OnnxExport:
    """Export a detector to a graph with the input ``images`` and the outputs of ``options``.

    Without NMS the outputs are ``boxes [B, A, 4]`` xyxy, input frame, and ``scores [B, A, C]``;
    with NMS see :func:`~otadet.export.nms_nodes.append_nms`. Normalisation is in the graph.

    Args:
        model: in evaluation mode, on the CPU.
        postprocess: its score rule is used, and with NMS its thresholds.
        options: form of the file.
        exporter: torch's exporter; by default the new one where onnxscript is installed.

    Raises:
        InputError: the model is in training mode, or has deformable convolutions, which the
            exporter or opset do not support.
    """
    require_evaluation_mode(model)
    names = RAW_OUTPUTS if options.nms else ("boxes", "scores")
    # Two images: an axis of length 1 would be taken for one that never changes.
    shape = (2 if options.free_batch else 1, 3, *options.size)
    example = torch.zeros(shape, dtype=torch.uint8 if options.uint8 else torch.float32)
    wrapped = Exportable(model, postprocess, for_nms=options.nms).eval()
    free = [*([0] if options.free_batch else []), *([2, 3] if options.free_size else [])]
    if exporter is None:
        exporter = _best_exporter()
    if is_deformable(model):
        _require_deform_conv(exporter, options.opset)
    export = _dynamo if exporter == "dynamo" else _traced
    graph = export(wrapped, example, names, free, options.opset)
    if options.nms:
        append_nms(graph, postprocess, _AXES[0] if options.free_batch else 1)
    return OnnxExport(graph, exporter)


def _require_deform_conv(exporter: Exporter, opset: int) -> None:
    """Check that exporter and opset support deformable convolutions."""
    if exporter != "dynamo":
        raise InputError(
            "the network has deformable convolutions, which only torch's new exporter can write; "
            "pip install 'otadet[export]'"
        )
    if opset < DEFORM_OPSET:
        raise InputError(
            f"opset: expected at least {DEFORM_OPSET} for the network's deformable convolutions, "
            f"got {opset}; give --opset {DEFORM_OPSET}"
        )


def _best_exporter() -> Exporter:
    if _installed("onnxscript"):
        return "dynamo"
    logger.warning(
        "onnxscript is not installed: using torch's older exporter "
        "(pip install 'otadet[export]' for the new one)"
    )
    return "torchscript"


def _dynamo(
    module: Exportable, example: Tensor, names: tuple[str, ...], free: list[int], opset: int
) -> ModelProto:
    # Multiples, by which torch knows that upsampled and skipped features have equal sizes.
    axes = {
        axis: _AXES[axis] if axis == 0 else MULTIPLE * Dim(f"{_AXES[axis]}_by_{MULTIPLE}", min=1)
        for axis in free
    }
    with torch.no_grad():
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=[INPUT],
            output_names=list(names),
            dynamic_shapes={"images": axes} if axes else None,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    graph: ModelProto = program.model_proto
    return graph


def _traced(
    module: Exportable, example: Tensor, names: tuple[str, ...], free: list[int], opset: int
) -> ModelProto:
    rows = {**({0: _AXES[0]} if 0 in free else {}), **({1: "points"} if 2 in free else {})}
    axes = {INPUT: {axis: _AXES[axis] for axis in free}, **dict.fromkeys(names, rows)}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # The tracer warns that it is deprecated and of each size it reads; the file is verified.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=[INPUT],
            output_names=list(names),
            dynamic_axes=axes,
        )
        return onnx.load_model(str(path))


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
