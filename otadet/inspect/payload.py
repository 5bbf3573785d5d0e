"""An image's values as the page takes them: rounded JSON, compressed, in base64."""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from otadet.inspect.colors import object_colors
from otadet.inspect.values import AssignerView, InspectedImage, Pairs, Snapshot
from otadet.pages import jpeg_base64, shrunk

LONGEST = 1024
"""Pixels of an image's longer side on the page."""

_QUALITY = 78

Array = npt.NDArray[Any]


def image_payload(image: InspectedImage) -> dict[str, Any]:
    """Return what the page shows before an image is opened, its JPEG, and the rest in ``data``."""
    last = image.snapshots[-1].views
    return {
        "name": image.name,
        "objects": len(image.boxes),
        "bare": max(view.totals.without_point for view in last),
        "width": image.image.shape[1],
        "height": image.image.shape[0],
        "jpeg": jpeg_base64(shrunk(image.image, LONGEST), _QUALITY),
        "data": _packed(_content(image)),
    }


def _content(image: InspectedImage) -> dict[str, Any]:
    return {
        "boxes": rounded(image.boxes, 1),
        "labels": image.labels.tolist(),
        "colors": object_colors(image.boxes),
        "ignore": rounded(image.ignore_boxes, 1),
        "x": rounded(image.points.xy[:, 0].numpy(), 1),
        "y": rounded(image.points.xy[:, 1].numpy(), 1),
        "level": image.points.level.tolist(),
        "snapshots": [_snapshot(snapshot) for snapshot in image.snapshots],
    }


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    shown = np.zeros(len(snapshot.scores), np.bool_)
    for view in snapshot.views:
        shown |= view.contenders > 0
    return {
        # Of points that are nobody's candidate, no prediction is shown.
        "boxes": rounded(np.where(shown[:, None], snapshot.boxes, 0.0), 1),
        "scores": rounded(np.where(shown, snapshot.scores, 0.0), 2),
        "labels": np.where(shown, snapshot.labels, 0).tolist(),
        "views": [_view(view) for view in snapshot.views],
    }


def _view(view: AssignerView) -> dict[str, Any]:
    objects, totals = view.objects, vars(view.totals)
    return {
        "index": view.gt_index.tolist(),
        "ambiguous": np.flatnonzero(view.ambiguous).tolist(),
        "given_back": np.flatnonzero(view.given_back).tolist(),
        "contenders": view.contenders.tolist(),
        "objects": {name: rounded(value, 2) for name, value in vars(objects).items()},
        "parts": view.part_names,
        "pairs": _pairs(view.pairs),
        "totals": {name: number(value) for name, value in totals.items()},
    }


def _pairs(pairs: Pairs) -> dict[str, Any]:
    return {
        "point": pairs.point.tolist(),
        "object": pairs.object.tolist(),
        "parts": [[number(v) for v in part] for part in pairs.parts.T.tolist()],
        "background": [number(v) for v in pairs.background.tolist()],
        "iou": rounded(pairs.iou, 2),
        "share": rounded(pairs.share, 2),
        "claimed": pairs.claimed.astype(int).tolist(),
    }


def rounded(values: Array, digits: int) -> list[Any]:
    """Return a nested list; whole numbers without a point, which JSON writes shorter."""
    if values.dtype.kind != "f":
        return values.astype(int).tolist()  # type: ignore[no-any-return]
    return [_whole(v) for v in np.round(values, digits).tolist()]


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def number(value: float | None) -> float | int | None:
    """Round to two decimals, or three significant digits where that keeps more."""
    if value is None or not math.isfinite(value):
        return None
    return _whole(round(value, 2) if abs(value) >= 1 else float(f"{value:.3g}"))  # type: ignore[no-any-return]


def _packed(content: dict[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
