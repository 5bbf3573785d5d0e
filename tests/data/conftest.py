"""A small COCO data set on disk, and the warnings that the library logs."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from loguru import logger

from tests.helpers import SHARED

DOCUMENT: dict[str, Any] = {
    "images": [
        {"id": 30, "file_name": "a.png", "width": 60, "height": 40},
        {"id": 10, "file_name": "sub/b.jpg", "width": 40, "height": 60},
        {"id": 20, "file_name": "c.png", "width": 32, "height": 32},
    ],
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 9, "bbox": [1, 2, 10, 20], "area": 150.5},
        {"id": 2, "image_id": 30, "category_id": 4, "bbox": [5.5, 6, 7, 8], "area": 56,
         "iscrowd": 0},
        {"id": 3, "image_id": 10, "category_id": 2, "bbox": [20, 30, 5, 5], "iscrowd": 0},
        {"id": 4, "image_id": 10, "category_id": 4, "bbox": [0, 0, 40, 60], "area": 9,
         "iscrowd": 1},
    ],
    "categories": [
        {"id": 9, "name": "zebra"},
        {"id": 2, "name": "ant"},
        {"id": 4, "name": "bee"},
    ],
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    """A correct COCO document: three images (ids 30, 10, 20; the last one empty)."""
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a document to ``ann.json`` and its images to ``images``; returns the folder."""

    def write(document: dict[str, Any]) -> Path:
        (tmp_path / "ann.json").write_text(json.dumps(document), encoding="utf-8")
        for image in DOCUMENT["images"]:
            path = tmp_path / "images" / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((image["height"], image["width"], 3), image["id"], np.uint8)
            cv2.imwrite(str(path), pixels)
        return tmp_path

    return write


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """The lines that loguru writes at warning level or above."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(sink)


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """The folder of one of the real data sets; skips where it is not there."""

    def folder(name: str) -> Path:
        path = SHARED / "data" / name
        if not path.is_dir():
            pytest.skip(f"needs the data set {name!r} in shared/ beside the checkout")
        return path

    return folder
