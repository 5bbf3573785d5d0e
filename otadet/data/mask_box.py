"""Box around a COCO mask: polygons or a run-length encoding."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

_MAX_SIDE = 1 << 15

Box = tuple[float, float, float, float]


def mask_box(mask: Any) -> Box | None:
    """Return left, top, width and height of ``segmentation``; ``None`` where it has no extent.

    Polygons are lists ``[x1, y1, x2, y2, ...]``, one or several; an encoding is
    ``{"size": [height, width], "counts": ...}`` with its runs as numbers or compressed.
    """
    if type(mask) is dict:
        return _encoded(mask)
    if type(mask) is not list or not mask:
        return None
    parts = mask if type(mask[0]) is list else [mask]
    try:
        corners = np.concatenate([np.array(part, np.float64).reshape(-1, 2) for part in parts])
    except (ValueError, TypeError, OverflowError):
        return None
    if len(corners) < 2 or not np.isfinite(corners).all():
        return None
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def _encoded(mask: dict[str, Any]) -> Box | None:
    size, counts = mask.get("size"), mask.get("counts")
    if type(size) is not list or len(size) != 2:
        return None
    if not all(type(side) is int and 1 <= side <= _MAX_SIDE for side in size):
        return None
    try:
        if type(counts) is str:
            encoded = {"size": size, "counts": counts.encode("ascii")}
        else:
            runs = np.array(counts, np.int64)
            if runs.ndim != 1 or (runs < 0).any() or runs.sum() != size[0] * size[1]:
                return None
            encoded = coco_mask.frPyObjects({"size": size, "counts": runs.tolist()}, *size)
        left, top, width, height = coco_mask.toBbox(encoded).tolist()
    except (ValueError, TypeError, OverflowError, UnicodeEncodeError):
        return None
    return (left, top, width, height) if width > 0 and height > 0 else None
