"""Form of an exported file, and the resize rule of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onnx.defs import onnx_opset_version

from otadet.choices import Dynamic
from otadet.data.transforms import PAD, Letterbox, ResizeShortest, Transform
from otadet.errors import InputError
from otadet.geometry import Size, padded

MULTIPLE = 32
"""Height and width of an input are multiples of this, as in training and evaluation."""

MIN_OPSET = 18


@dataclass(frozen=True)
class ResizeRule:
    """How an image is resized to the input; the rest of the input is filled with :data:`PAD`.

    Attributes:
        kind: ``letterbox`` fits the image into ``size`` (height, width), top left;
            ``shortest`` brings the shorter side to ``size[0]``, the longer to at most ``size[1]``.
        size: see ``kind``.
    """

    kind: Literal["letterbox", "shortest"]
    size: Size

    def transform(self) -> Transform:
        """Return the rule as a transform of the data path."""
        if self.kind == "letterbox":
            return Letterbox(self.size, PAD)
        return ResizeShortest(*self.size)


@dataclass(frozen=True)
class ExportOptions:
    """The form of a file.

    Attributes:
        resize: the rule of evaluation.
        dynamic: axes that are free.
        nms: detections instead of the boxes and scores of every point.
        uint8: the input is uint8 instead of float32; values are 0 to 255 in both.
        opset: ONNX opset version, at least 18.

    Raises:
        InputError: for an opset below 18, or newer than the installed onnx.
    """

    resize: ResizeRule
    dynamic: Dynamic = "none"
    nms: bool = False
    uint8: bool = False
    opset: int = MIN_OPSET

    def __post_init__(self) -> None:
        newest = onnx_opset_version()
        if not MIN_OPSET <= self.opset <= newest:
            raise InputError(f"opset: expected {MIN_OPSET} to {newest}, got {self.opset}")

    @property
    def free_batch(self) -> bool:
        """Whether the batch is free; it is 1 otherwise."""
        return self.dynamic in ("batch", "all")

    @property
    def free_size(self) -> bool:
        """Whether height and width are free, in steps of :data:`MULTIPLE`."""
        return self.dynamic in ("hw", "all")

    @property
    def size(self) -> Size:
        """Height and width of the input, or an example of them where they are free."""
        return padded(self.resize.size, MULTIPLE)

    @property
    def rule(self) -> ResizeRule:
        """The resize rule of the file.

        An input of fixed size needs a letterbox, which fills whole multiples as in evaluation.
        """
        if self.resize.kind == "letterbox" or not self.free_size:
            return ResizeRule("letterbox", self.size)
        return self.resize
