"""int8 quantisation of an ONNX file, by onnxruntime's static quantisation."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from onnx import ModelProto
from torch import Tensor

from otadet.export.metadata import write_metadata
from otadet.export.onnx_graph import INPUT
from otadet.export.session import as_input

FIRST = 3
"""Number of convolutions at the start that stay in float: with them in int8 YOLOX-nano loses half
of its AP on COCO (docs/deploy.md)."""


@dataclass(frozen=True)
class Int8:
    """An int8 graph.

    Attributes:
        model: with the metadata of the float graph, without the entry ``quantization``.
        about: that entry, plain values.
    """

    model: ModelProto
    about: dict[str, Any] = field(default_factory=dict)


def quantize(file: ModelProto, batches: Iterable[Tensor], uint8: bool) -> Int8:
    """Quantise the convolutions of a graph, and nothing else.

    Activations are uint8 with one range each, weights int8 with one scale for each output channel
    and of seven bits: without VNNI instructions a CPU adds two products in 16 bits, which
    overflow with eight (onnxruntime's documentation, "Quantize ONNX models": ``reduce_range``).
    Convolutions that no other follows, the head's predictions, stay in float, and so do decoding,
    scores and NMS: eight bits for coordinates of hundreds of pixels would be steps of pixels. The
    first convolutions stay too, see :data:`FIRST`, and those with groups (depthwise ones): their
    channels differ widely in range and share one scale, and there is little to gain by them.

    Args:
        file: in float32; it is not changed.
        batches: calibration images ``[B, 3, H, W]`` uint8 of the shape that the file takes; they
            set the ranges of the activations.
        uint8: whether the file takes uint8.
    """
    from onnxruntime import quantization

    source = copy.deepcopy(file)
    del source.metadata_props[:]
    for index, node in enumerate(source.graph.node):
        node.name = node.name or f"node_{index}"
    convolutions = [node.name for node in source.graph.node if node.op_type == "Conv"]
    kept = {*convolutions[:FIRST], *last_convolutions(source), *grouped_convolutions(source)}
    reader = _Reader(as_input(images, uint8) for images in batches)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "int8.onnx"
        quantization.quantize_static(
            source, path, reader,
            quant_format=quantization.QuantFormat.QDQ, op_types_to_quantize=["Conv"],
            per_channel=True, reduce_range=True, nodes_to_exclude=sorted(kept),
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )  # fmt: skip
        model = onnx.load_model(str(path))
    write_metadata(model, {entry.key: entry.value for entry in file.metadata_props})
    about = {
        "method": "static, QDQ",
        "weights": "int8 per output channel, seven bits",
        "activations": "uint8, range of the calibration images",
        "calibration_pictures": reader.count,
        "convolutions": len(convolutions) - len(kept),
        "convolutions_in_float": len(kept),
    }
    return Int8(model, about)


def grouped_convolutions(file: ModelProto) -> list[str]:
    """Return the names of the convolutions with more than one group."""
    return [
        node.name
        for node in file.graph.node
        if node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)
    ]


def last_convolutions(file: ModelProto) -> list[str]:
    """Return the names of the convolutions that no other follows: those that predict."""
    users: dict[str, list[Any]] = {}
    for node in file.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    leads_to_one: dict[str, bool] = {}
    last: list[str] = []
    for node in reversed(file.graph.node):  # an ONNX graph is sorted: users come later
        after = [user for name in node.output for user in users.get(name, [])]
        leads = any(user.op_type == "Conv" or leads_to_one[user.name] for user in after)
        leads_to_one[node.name] = leads
        if node.op_type == "Conv" and not leads:
            last.append(node.name)
    return last[::-1]


class _Reader:
    """onnxruntime's ``CalibrationDataReader``."""

    def __init__(self, arrays: Iterable[npt.NDArray[Any]]) -> None:
        self.arrays = iter(arrays)
        self.count = 0

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        array = next(self.arrays, None)
        if array is None:
            return None
        self.count += len(array)
        return {INPUT: array}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence onnxruntime's prints, and its advice to fold BatchNorm, which the exporter did."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
