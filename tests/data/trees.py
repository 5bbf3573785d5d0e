"""Small data sets as trees of files: names and contents of real, tiny files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from otadet.data import write_image

IMAGE = object()
"""Stands for an image of 20 x 10; each has pixels of its own."""

Content = Any
Files = Mapping[str, Content]

LABEL = "0 0.5 0.5 0.5 0.5\n"
NAMES = "names: [cat]\n"


def make(root: Path, files: Files) -> Path:
    """Write a tree."""
    random = np.random.default_rng(0)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is IMAGE:
            write_image(path, random.integers(0, 255, (10, 20, 3), np.uint8))
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
    return root


def coco(names: Iterable[str]) -> dict[str, Any]:
    """A COCO document with one object an image."""
    names = list(names)
    return {
        "images": [
            {"id": i, "file_name": name, "width": 20, "height": 10} for i, name in enumerate(names)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [5, 2, 10, 5]}
            for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }


def labelme(name: str) -> dict[str, Any]:
    """A file of labelme with one rectangle."""
    shape = {"label": "cat", "points": [[5, 2], [15, 7]], "shape_type": "rectangle"}
    return {
        "version": "5.5.0", "flags": {}, "shapes": [shape], "imagePath": name, "imageData": None,
        "imageHeight": 10, "imageWidth": 20,
    }  # fmt: skip


def voc(name: str) -> str:
    """An XML file of VOC with one object."""
    corners = (("xmin", 6), ("ymin", 3), ("xmax", 15), ("ymax", 7))
    sides = "".join(f"<{key}>{value}</{key}>" for key, value in corners)
    return (
        f"<annotation><filename>{name}</filename><size><width>20</width><height>10</height></size>"
        f"<object><name>cat</name><bndbox>{sides}</bndbox></object></annotation>"
    )


def csv(names: Iterable[str]) -> str:
    """TensorFlow's table with one object an image."""
    rows = [f"{name},20,10,cat,5,2,15,7" for name in names]
    return "\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *rows, ""])


def odgt(names: Iterable[str]) -> str:
    """CrowdHuman's lines with one person an image."""
    box = {"tag": "person", "fbox": [5, 2, 10, 5], "vbox": [5, 2, 10, 5], "hbox": [6, 2, 2, 2]}
    return "\n".join(json.dumps({"ID": name, "gtboxes": [box]}) for name in names)


def images(folder: str, names: Iterable[str]) -> dict[str, Content]:
    """Images in a folder."""
    return {f"{folder}/{name}.jpg" if folder else f"{name}.jpg": IMAGE for name in names}


def labels(folder: str, names: Iterable[str]) -> dict[str, Content]:
    """YOLO's label files in a folder."""
    return {f"{folder}/{name}.txt" if folder else f"{name}.txt": LABEL for name in names}


def xmls(folder: str, names: Iterable[str]) -> dict[str, Content]:
    """VOC's XML files in a folder."""
    return {
        f"{folder}/{name}.xml" if folder else f"{name}.xml": voc(f"{name}.jpg") for name in names
    }


def jsons(folder: str, names: Iterable[str], above: str = "") -> dict[str, Content]:
    """labelme's files in a folder, which name images in the folder ``above``."""
    return {
        f"{folder}/{name}.json" if folder else f"{name}.json": labelme(f"{above}{name}.jpg")
        for name in names
    }
