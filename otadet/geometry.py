"""The map between image frame and input frame, and rules for image sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width in pixels, in this order."""


@dataclass(frozen=True)
class Geometry:
    """An axis-aligned map ``input = image * scale + offset``, applied to x and y separately.

    A negative scale is a flip. Coordinates are continuous: 0 is the outer edge of the
    first pixel and ``width`` the outer edge of the last.

    Attributes:
        scale: factors for x and y.
        offset: pixels of the input frame added to x and y.
        image_size: height and width of the original image.
        input_size: height and width of the image in the input frame, padding excluded.
        amodal: boxes are those of whole objects, also where an object leaves the image or is
            cut by an augmentation (CrowdHuman's full boxes): nothing clips them.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]
    image_size: Size
    input_size: Size
    amodal: bool = False

    @staticmethod
    def identity(size: Size, amodal: bool = False) -> Geometry:
        """Return the map of an unchanged image."""
        return Geometry((1.0, 1.0), (0.0, 0.0), size, size, amodal)

    def resized(self, size: Size) -> Geometry:
        """Append a resize to ``size`` (height, width)."""
        fy = size[0] / self.input_size[0]
        fx = size[1] / self.input_size[1]
        return replace(
            self,
            scale=(self.scale[0] * fx, self.scale[1] * fy),
            offset=(self.offset[0] * fx, self.offset[1] * fy),
            input_size=size,
        )

    def flipped(self) -> Geometry:
        """Append a horizontal flip."""
        width = self.input_size[1]
        return replace(
            self,
            scale=(-self.scale[0], self.scale[1]),
            offset=(width - self.offset[0], self.offset[1]),
        )

    def cropped(self, left: int, top: int, size: Size) -> Geometry:
        """Append a crop of ``size`` (height, width) at ``left``, ``top``."""
        return replace(self, offset=(self.offset[0] - left, self.offset[1] - top), input_size=size)

    def to_input(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map boxes ``[N, 4]`` xyxy from the image frame to the input frame, without clipping."""
        sx, sy = self.scale
        ox, oy = self.offset
        scale = np.array([sx, sy, sx, sy], np.float32)
        offset = np.array([ox, oy, ox, oy], np.float32)
        return _sorted_x(boxes * scale + offset, mirrored=sx < 0)

    def to_image(self, boxes: Tensor) -> Tensor:
        """Map boxes ``[N, 4]`` xyxy from the input frame to the image frame.

        They are clipped to the image unless they are amodal.
        """
        sx, sy = self.scale
        ox, oy = self.offset
        height, width = self.image_size
        offset = torch.tensor([ox, oy, ox, oy], dtype=torch.float32)
        scale = torch.tensor([sx, sy, sx, sy], dtype=torch.float32)
        limit = torch.tensor([width, height, width, height], dtype=torch.float32)
        mapped = (boxes.float() - offset.to(boxes.device)) / scale.to(boxes.device)
        if sx < 0:
            mapped = mapped[:, [2, 1, 0, 3]]
        if self.amodal:
            return mapped
        return torch.minimum(mapped.clamp(min=0), limit.to(boxes.device))


def _sorted_x(boxes: npt.NDArray[np.float32], mirrored: bool) -> npt.NDArray[np.float32]:
    return boxes[:, [2, 1, 0, 3]] if mirrored else boxes


def shortest_edge(size: Size, short: int, longest: int) -> Size:
    """Return the size whose shorter side is ``short``, unless the longer would exceed ``longest``.

    The aspect ratio is kept; each side is at least one pixel.
    """
    height, width = size
    factor = min(short / min(height, width), longest / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def letterbox(size: Size, box: Size) -> Size:
    """Return the largest size of the same aspect ratio that fits into ``box``.

    Each side is at least one pixel. Rounded down as YOLOX does, so that its published weights see
    the pixels they were trained on.
    """
    factor = min(box[0] / size[0], box[1] / size[1])
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))


def zoom_factors(sizes: npt.NDArray[Any], resize: str, input_size: Size) -> npt.NDArray[np.float64]:
    """Return ``[N]`` factor from images to a network's input, before sides are rounded.

    Args:
        sizes: ``[N, 2]`` height and width of the images.
        resize: ``letterbox`` or ``shortest``.
        input_size: height and width, or shorter side and limit of the longer one.
    """
    if resize == "letterbox":
        height, width = padded(input_size, 32)
        factor = np.minimum(height / sizes[:, 0], width / sizes[:, 1])
    else:
        short, longest = input_size
        factor = np.minimum(short / sizes.min(axis=1), longest / sizes.max(axis=1))
    return np.asarray(factor, np.float64)


def padded(size: Size, multiple: int) -> Size:
    """Round both sides of ``size`` up to a multiple."""
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple
