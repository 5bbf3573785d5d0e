"""Whether square anchors are of the objects' size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from otadet.assign import MaxIoU
from otadet.data.annotation_table import Floats

SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
"""What is tried, in strides."""


def unmet(sides: Floats, strides: Sequence[int], scale: float) -> npt.NDArray[np.bool_]:
    """``[N]`` objects that no anchor meets by RetinaNet's IoU, even if their centres fell together.

    Args:
        sides: ``[N, 2]`` width and height of the objects, pixels of the input.
        strides: of the levels.
        scale: side of the anchors in strides.
    """
    anchors = scale * np.asarray(strides, np.float64)[:, None]
    width, height = sides[:, 0], sides[:, 1]
    common = np.minimum(anchors, width) * np.minimum(anchors, height)
    iou = common / (anchors**2 + width * height - common)
    return np.asarray(iou.max(axis=0) < MaxIoU.positive, np.bool_)


def best_scale(sides: Floats, strides: Sequence[int]) -> float:
    """Of :data:`SCALES` the one that leaves the fewest objects unmet, the largest of equals."""
    return min(reversed(SCALES), key=lambda scale: int(unmet(sides, strides, scale).sum()))
