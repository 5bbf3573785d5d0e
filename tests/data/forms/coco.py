"""COCO documents of the scenes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.data.forms.scenes import ALL, HEIGHT, NAMES, WIDTH, boxes, put, unchanged

Document = dict[str, Any]
Change = Callable[[Any], Any]
CATEGORIES: list[Document] = [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}]


def document(
    scenes: Sequence[int] = ALL,
    file_name: str = "im{}.jpg",
    *,
    image: Change = unchanged,
    row: Change = unchanged,
    categories: Any = CATEGORIES,
) -> Document:
    """A document as COCO has it; ``image`` and ``row`` change each entry."""
    images = [
        image({"id": i + 1, "file_name": file_name.format(i), "width": WIDTH, "height": HEIGHT})
        for i in scenes
    ]
    rows = [
        {
            "image_id": i + 1, "category_id": box.label + 1, "bbox": [box.x, box.y, box.w, box.h],
            "area": box.w * box.h, "iscrowd": 0, "segmentation": [box.flat],
        }
        for i in scenes
        for box in boxes(i)
    ]  # fmt: skip
    rows = [row({"id": number, **each}) for number, each in enumerate(rows, start=1)]
    return {"images": images, "annotations": rows, "categories": categories}


def put_json(path: Path, value: Any, encoding: str = "utf-8", ascii: bool = True) -> None:
    put(path, json.dumps(value, ensure_ascii=ascii), encoding)


def grouped(categories: Sequence[Document] = CATEGORIES) -> list[Document]:
    """Categories below one that only groups them."""
    above = {"id": 0, "name": "things", "supercategory": "none"}
    return [above, *({**each, "supercategory": "things"} for each in categories)]


def by_name(names: Sequence[Any] = NAMES) -> list[Document]:
    return [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
