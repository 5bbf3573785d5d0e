"""An exported ONNX file in onnxruntime, called as evaluation calls a network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import ModelProto
from torch import Tensor

from otadet.data.transforms import Transform
from otadet.errors import InputError
from otadet.export.metadata import read_metadata
from otadet.export.options import ResizeRule
from otadet.geometry import Geometry, Size
from otadet.postprocess import Postprocess
from otadet.schema import refuse
from otadet.types import Batch, Detections


@dataclass(frozen=True, eq=False)
class OnnxDetector:
    """An exported ONNX file as a detector, on the CPU.

    Attributes:
        session: of onnxruntime.
        about: the file's metadata, decoded.
        where: name of the file, for messages.
    """

    session: Any
    about: dict[str, Any]
    where: str = "the graph"

    @staticmethod
    def of(file: ModelProto) -> OnnxDetector:
        """Make a detector of a graph with metadata."""
        entries = {e.key: e.value for e in file.metadata_props}
        return OnnxDetector(
            open_session(file.SerializeToString()), read_metadata(entries, "the graph")
        )

    @staticmethod
    def open(path: Path) -> OnnxDetector:
        """Open a file of ``tools/export.py``.

        Raises:
            InputError: the file is missing, not an ONNX file, or not one of otadet.
        """
        if not os.path.isfile(path):  # noqa: PTH113
            raise InputError(f"{path}: no such file; expected an ONNX file of tools/export.py")
        try:
            session = open_session(str(path))
            entries = session.get_modelmeta().custom_metadata_map
        except InputError:
            raise
        except Exception as error:  # onnxruntime's exceptions have no common base
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{path}: not an ONNX file that onnxruntime reads: {reason}") from None
        return OnnxDetector(session, read_metadata(entries, str(path)), str(path))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return tuple(self.about["class_names"])

    @property
    def size(self) -> Size | None:
        """Height and width of the input, or ``None`` where they are free."""
        height, width = self.about["input"]["size"]
        return None if self.about["input"]["dynamic"] in ("hw", "all") else (height, width)

    @property
    def transform(self) -> Transform:
        """The file's resize rule."""
        rule = self.about["resize"]
        return ResizeRule(rule["rule"], (rule["size"][0], rule["size"][1])).transform()

    @property
    def postprocess(self) -> Postprocess:
        """Postprocessing with the file's thresholds."""
        limits = self.about["thresholds"]
        return Postprocess(
            score_threshold=limits["score"],
            nms_threshold=limits["nms"],
            max_detections=limits["max_detections"],
            candidates=limits["candidates"],
            score_rule=self.about["score_rule"],
            point_labels=self.about.get("point_labels", "all"),  # missing in older files
        )

    def __call__(self, batch: Batch) -> list[Detections]:
        """Detect objects: for each image, image frame, sorted by falling score.

        Args:
            batch: of the file's size; the images run one by one where its batch size is fixed.
        """
        free = self.about["input"]["dynamic"] in ("batch", "all")
        parts = [batch.images] if free else [image[None] for image in batch.images]
        found: list[Detections] = []
        for part in parts:
            geometries = batch.geometries[len(found) : len(found) + len(part)]
            found += self._detect(part, geometries)
        return found

    def _detect(self, images: Tensor, geometries: Sequence[Geometry]) -> list[Detections]:
        out = self._run(images)
        if self.about["output"] == "detections":
            return given_detections(out, geometries)
        level = levels(self.about["strides"], (images.shape[2], images.shape[3]))
        self._check_points(len(level), out)
        postprocess = self.postprocess
        return [
            postprocess.select(boxes, scores, level, geometry)
            for boxes, scores, geometry in zip(out["boxes"], out["scores"], geometries)
        ]

    def _run(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, of the shapes and types that the metadata promise."""
        names = [output.name for output in self.session.get_outputs()]
        array = as_input(images, self.about["input"]["type"] == "uint8")
        try:
            arrays = self.session.run(names, {self.session.get_inputs()[0].name: array})
        except Exception as error:  # onnxruntime's exceptions have no common base
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{self.where}: onnxruntime cannot run it: {reason}") from None
        out = dict(zip(names, arrays))
        refuse(_faults(out, len(images), self.about), f"{self.where}: outputs")
        return {name: torch.from_numpy(value) for name, value in out.items()}

    def _check_points(self, count: int, out: dict[str, Tensor]) -> None:
        if out["boxes"].shape[1] != count:
            raise InputError(
                f"{self.where}: expected boxes of {count} points, as its strides say, got "
                f"{out['boxes'].shape[1]}"
            )


def _faults(out: dict[str, Any], count: int, about: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the outputs for ``count`` images."""
    classes, boxes = len(about["class_names"]), out.get("boxes")
    rows = boxes.shape[1] if isinstance(boxes, np.ndarray) and boxes.ndim == 3 else 0
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {"boxes": ("f", (count, rows, 4))}
    if about["output"] == "detections":
        shapes |= {"scores": ("f", (count, rows)), "labels": ("i", (count, rows))}
    else:
        shapes["scores"] = ("f", (count, rows, classes))
    for name, (kind, shape) in shapes.items():
        array = out.get(name)
        if not isinstance(array, np.ndarray):
            yield f"{name}: missing"
        elif array.dtype.kind != kind or array.shape != shape:
            numbers = "fractions" if kind == "f" else "whole numbers"
            yield f"{name}: expected {numbers} {list(shape)}, got {array.dtype} {list(array.shape)}"
        elif name == "boxes" and not np.isfinite(array).all():
            yield "boxes: some are not finite"
        elif name == "labels" and array.size and array.max() >= classes:
            yield f"labels: expected less than {classes}, the number of classes, got {array.max()}"


def given_detections(out: dict[str, Tensor], geometries: Sequence[Geometry]) -> list[Detections]:
    """Return the outputs of a graph with NMS as detections, image frame, without unused places."""
    result: list[Detections] = []
    for index, geometry in enumerate(geometries):
        count = int((out["labels"][index] >= 0).sum())
        boxes = geometry.to_image(out["boxes"][index, :count])
        labels = out["labels"][index, :count]
        result.append(Detections(boxes, out["scores"][index, :count], labels))
    return result


def levels(strides: Sequence[int], size: Size) -> Tensor:
    """Return ``[A]`` int64: the pyramid level of each point of an input of this size."""
    counts = [-(-size[0] // stride) * -(-size[1] // stride) for stride in strides]
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))


def as_input(images: Tensor, uint8: bool) -> npt.NDArray[Any]:
    """Convert images ``[B, 3, H, W]`` uint8 to the type that the file takes."""
    array = images.contiguous().numpy()
    return array if uint8 else array.astype(np.float32)


def open_session(source: str | bytes) -> Any:
    """Open a file, or its bytes, in onnxruntime on the CPU, with as many threads as torch.

    Raises:
        InputError: this version of onnxruntime has no kernel for one of the operators.
    """
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(source, settings, providers=["CPUExecutionProvider"])
    except NoKernel as error:
        reason = str(error).partition(": NOT_IMPLEMENTED : ")[2] or str(error)
        raise InputError(
            f"onnxruntime {onnxruntime.__version__} cannot run the file on a CPU: "
            f"{reason.splitlines()[0]}; expected a version that can (deformable convolutions: see "
            f"docs/deploy.md)"
        ) from error
