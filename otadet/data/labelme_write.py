"""Write annotations as labelme's JSON files: https://github.com/wkentaro/labelme."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from otadet.choices import Split
from otadet.data.classes import Classes
from otadet.data.write_parts import Lost, lost_areas, stem, write_names
from otadet.types import GroundTruth

_VERSION = "5.5.0"
"""Of labelme, which warns of files of another major version."""


def write_labelme(gts: Iterable[GroundTruth], classes: Classes, folder: Path, split: Split) -> Lost:
    """Write a JSON file beside each image, where labelme opens it, and ``classes.txt``.

    Regions that are ignored for every class have labelme's own name for them, ``__ignore__``; those
    of one class are lost. Boxes must be those of the upright image, as labelme shows it.
    """
    write_names(classes.names, folder)
    lost: Lost = Lost()
    for gt in gts:
        path = folder / "images" / split / f"{stem(gt)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(labelme_document(gt, classes.names), ensure_ascii=False, indent=2)
        path.write_text(text, encoding="utf-8")
        lost += lost_areas(gt) + Lost(
            {"ignore regions of one class": int((gt.region_labels >= 0).sum())}
        )
    return lost


def labelme_document(gt: GroundTruth, class_names: Sequence[str]) -> dict[str, Any]:
    """Make the JSON document of an image in the same folder.

    A score becomes the key ``score`` of its shape, which labelme keeps.
    """
    names = [class_names[label] for label in gt.labels.tolist()]
    shapes = list(map(_shape, names, gt.boxes))
    if gt.scores is not None:
        shapes = [{**each, "score": score} for each, score in zip(shapes, gt.scores.tolist())]
    shapes += [_shape("__ignore__", box) for box in gt.ignore_boxes[gt.region_labels < 0]]
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": PurePosixPath(gt.file_name).name,
        "imageData": None,
        "imageHeight": gt.size[0],
        "imageWidth": gt.size[1],
    }


def _shape(name: str, box: npt.NDArray[np.float32]) -> dict[str, Any]:
    # The shortest digits that name each float32: 1.08, not 1.0800000429153442.
    x1, y1, x2, y2 = box.astype(str).astype(np.float64).tolist()
    return {
        "label": name, "points": [[x1, y1], [x2, y2]], "group_id": None, "description": "",
        "shape_type": "rectangle", "flags": {},
    }  # fmt: skip
