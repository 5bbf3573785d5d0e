"""The inspection as JSON, and as one PNG an image in the form of the paper's Figure 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import otadet
from otadet.atomic import atomic_write
from otadet.data import write_image
from otadet.data.findings import counted
from otadet.inspect.colors import object_colors
from otadet.inspect.payload import number, rounded
from otadet.inspect.values import AssignerView, InspectedImage, Inspection, Pairs, Snapshot
from otadet.outputs import OutputFolder
from otadet.types import Assignment, Target
from otadet.visualize.assignment import OBJECT_COLORS, draw_assignments
from otadet.visualize.boxes import Image

JSON_HEAD = b'{"otadet": "'
"""How the JSON begins: with the version that wrote it."""


def write_json(inspection: Inspection, path: Path) -> Path:
    """Write all values as JSON; returns the path. docs/inspect.md describes them."""
    atomic_write(path, json.dumps(as_dict(inspection), allow_nan=False) + "\n")
    return path


def as_dict(inspection: Inspection) -> dict[str, Any]:
    """Return the inspection as lists and dictionaries of plain values."""
    return {
        "otadet": otadet.__version__,
        "title": inspection.title,
        "class_names": list(inspection.class_names),
        "images": [_image(image) for image in inspection.images],
    }


def _image(image: InspectedImage) -> dict[str, Any]:
    boxes = rounded(image.boxes, 2)
    return {
        "file_name": image.name,
        "size": list(image.image.shape[:2]),
        "strides": list(image.strides),
        "objects": [
            {"label": label, "box": box} for label, box in zip(image.labels.tolist(), boxes)
        ],
        "networks": [
            {
                "name": snapshot.label,
                "assigners": [_assigner(view, snapshot, image) for view in snapshot.views],
            }
            for snapshot in image.snapshots
        ],
    }


def _assigner(view: AssignerView, snapshot: Snapshot, image: InspectedImage) -> dict[str, Any]:
    columns = {name: rounded(value, 4) for name, value in vars(view.objects).items()}
    shown = np.flatnonzero((view.contenders > 0) | (view.gt_index != -1))
    pairs = _pairs(view.pairs, view.part_names)
    return {
        "name": view.name,
        "own": view.own,
        "totals": vars(view.totals) | {"cost": number(view.totals.cost)},
        "objects": [dict(zip(columns, row)) for row in zip(*columns.values())],
        "points": [_point(view, snapshot, image, index, pairs) for index in shown.tolist()],
    }


def _point(
    view: AssignerView,
    snapshot: Snapshot,
    image: InspectedImage,
    index: int,
    pairs: dict[int, list[dict[str, Any]]],
) -> dict[str, Any]:
    return {
        "point": index,
        "xy": image.points.xy[index].tolist(),
        "level": int(image.points.level[index]),
        "gt_index": int(view.gt_index[index]),
        "contested": bool(view.ambiguous[index]),
        "given_back": bool(view.given_back[index]),
        "contenders": int(view.contenders[index]),
        "predicted": {
            "box": rounded(snapshot.boxes[index], 2),
            "label": int(snapshot.labels[index]),
            "score": round(float(snapshot.scores[index]), 4),
        },
        "pairs": pairs.get(index, []),
    }


def _pairs(pairs: Pairs, names: tuple[str, ...]) -> dict[int, list[dict[str, Any]]]:
    """The pairs of each point."""
    found: dict[int, list[dict[str, Any]]] = {}
    for k, point in enumerate(pairs.point.tolist()):
        found.setdefault(point, []).append({
            "object": int(pairs.object[k]),
            "cost": number(float(pairs.cost[k])),
            "parts": {name: number(float(v)) for name, v in zip(names, pairs.parts[k])},
            "background": number(float(pairs.background[k])),
            "iou": round(float(pairs.iou[k]), 4),
            "share": round(float(pairs.share[k]), 4),
            "claimed": bool(pairs.claimed[k]),
        })  # fmt: skip
    return found


def write_pngs(inspection: Inspection, folder: OutputFolder) -> list[Path]:
    """Write ``NUMBER_NAME.png`` for each image, under the last network; returns the paths.

    Raises:
        InputError: a file has this name that otadet has not written.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for place, image in enumerate(inspection.images, start=1):
        stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(image.name).stem)
        written.append(folder.path / f"{place:02d}_{stem[:60]}.png")
        write_image(written[-1], _figure(image), folder.atomic)
    return written


def _figure(image: InspectedImage) -> Image:
    boxes = torch.from_numpy(image.boxes).float()
    colors = [OBJECT_COLORS[color] for color in object_colors(image.boxes)]
    titles = {_heading(view): _assignment(view) for view in image.snapshots[-1].views}
    target = Target(boxes, torch.from_numpy(image.labels))
    return draw_assignments(image.image, image.points, titles, target, colors)


def _heading(view: AssignerView) -> str:
    bare = view.totals.without_point
    return f"{view.name}: {view.totals.positives:,} positives" + (
        f", {counted(bare)} without a point" if bare else ""
    )


def _assignment(view: AssignerView) -> Assignment:
    index = torch.from_numpy(view.gt_index)[None]
    return Assignment(index, torch.zeros(index.shape))
