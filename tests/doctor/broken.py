"""Data sets in four formats: a sound one, and ways to break it, each with the name of its fault.

Every set has six images of 96 x 64 in training and three in validation, with two objects each,
of the classes ``ant`` and ``bee``, written by the repository's own hand in each format: nothing
here goes through the readers or writers under test.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64
CLASSES = ("ant", "bee")
SPLITS = {"train": 6, "val": 3}
Box = tuple[str, int, int, int, int]


def boxes_of(split: str, index: int) -> list[Box]:
    """Class, x1, y1, x2, y2 of the objects of an image: apart, inside, of different sizes."""
    shift = index * 3 + (40 if split == "val" else 0) % 7
    return [("ant", 4 + shift, 5, 30 + shift, 28), ("bee", 50, 30 + index, 81, 58)]


def draw_image(split: str, index: int) -> np.ndarray:
    """RGB noise of its own in blocks, so that no image looks like another."""
    rng = np.random.default_rng(index + (100 if split == "val" else 0))
    coarse = rng.integers(0, 255, (8, 12, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def name_of(split: str, index: int) -> str:
    return f"{split}_{index}"


def _write_pictures(folder: Path, split: str, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        cv2.imwrite(str(folder / f"{name_of(split, index)}.jpg"), draw_image(split, index))


def make_coco(root: Path) -> None:
    (root / "annotations").mkdir(parents=True)
    for split, count in SPLITS.items():
        _write_pictures(root / "images", split, count)
        start = 1 if split == "train" else 101
        images = [
            {"id": start + i, "file_name": f"{name_of(split, i)}.jpg", "width": WIDTH,
             "height": HEIGHT}
            for i in range(count)
        ]  # fmt: skip
        rows: list[dict[str, Any]] = []
        for i in range(count):
            for name, x1, y1, x2, y2 in boxes_of(split, i):
                rows.append({
                    "id": len(rows) + 1, "image_id": start + i,
                    "category_id": 1 + CLASSES.index(name), "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
                })  # fmt: skip
        categories = [{"id": 1 + i, "name": name} for i, name in enumerate(CLASSES)]
        write_json(root, split, {"images": images, "annotations": rows, "categories": categories})


def make_odgt(root: Path) -> None:
    for split, count in SPLITS.items():
        _write_pictures(root / "Images", split, count)
        lines = [
            {"ID": name_of(split, i), "gtboxes": [
                {"tag": name, "fbox": [x1, y1, x2 - x1, y2 - y1], "extra": {"box_id": n}}
                for n, (name, x1, y1, x2, y2) in enumerate(boxes_of(split, i))
            ]}
            for i in range(count)
        ]  # fmt: skip
        write_lines(root, split, lines)


def make_voc(root: Path) -> None:
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for split, count in SPLITS.items():
        _write_pictures(root / "JPEGImages", split, count)
        names = [name_of(split, i) for i in range(count)]
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(
            "\n".join(names) + "\n", encoding="utf-8"
        )
        for i, name in enumerate(names):
            objects = "".join(
                f"<object><name>{label}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
                f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
                for label, x1, y1, x2, y2 in boxes_of(split, i)
            )
            size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
            text = f"<annotation><filename>{name}.jpg</filename>{size}{objects}</annotation>"
            (root / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")


def make_yolo(root: Path) -> None:
    root.mkdir(parents=True)
    (root / "data.yaml").write_text(
        f"train: images/train\nval: images/val\nnc: 2\nnames: [{', '.join(CLASSES)}]\n",
        encoding="utf-8",
    )
    for split, count in SPLITS.items():
        _write_pictures(root / "images" / split, split, count)
        (root / "labels" / split).mkdir(parents=True)
        for i in range(count):
            lines = [
                f"{CLASSES.index(name)} {(x1 + x2) / 2 / WIDTH:.6f} {(y1 + y2) / 2 / HEIGHT:.6f} "
                f"{(x2 - x1) / WIDTH:.6f} {(y2 - y1) / HEIGHT:.6f}"
                for name, x1, y1, x2, y2 in boxes_of(split, i)
            ]
            path = root / "labels" / split / f"{name_of(split, i)}.txt"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


MAKERS: dict[str, Callable[[Path], None]] = {
    "coco": make_coco, "odgt": make_odgt, "voc": make_voc, "yolo": make_yolo,
}  # fmt: skip


def write_json(root: Path, split: str, document: Any) -> None:
    (root / "annotations" / f"{split}.json").write_text(json.dumps(document), encoding="utf-8")


def write_lines(root: Path, split: str, lines: list[Any]) -> None:
    text = "\n".join(json.dumps(line) for line in lines) + "\n"
    (root / f"annotation_{split}.odgt").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """One way to break a set.

    Attributes:
        format: of the set.
        code: the finding that names the fault.
        part: split of the finding.
        where: what its first place says, each of these words.
        fault: breaks the folder.
        settings: of the experiment.
    """

    format: str
    code: str
    part: str
    where: tuple[str, ...]
    fault: Callable[[Path], None]
    settings: tuple[str, ...] = ()


def coco(change: Callable[[dict[str, Any]], None], split: str = "train") -> Callable[[Path], None]:
    def fault(root: Path) -> None:
        document = json.loads((root / "annotations" / f"{split}.json").read_text(encoding="utf-8"))
        change(document)
        write_json(root, split, document)

    return fault


def odgt(change: Callable[[list[Any]], None], split: str = "train") -> Callable[[Path], None]:
    def fault(root: Path) -> None:
        text = (root / f"annotation_{split}.odgt").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        change(lines)
        write_lines(root, split, lines)

    return fault


def text(path: str, old: str, new: str) -> Callable[[Path], None]:
    """The first ``old`` of a file becomes ``new``."""

    def fault(root: Path) -> None:
        before = (root / path).read_text(encoding="utf-8")
        assert old in before, (path, old)
        (root / path).write_text(before.replace(old, new, 1), encoding="utf-8")

    return fault


def copy(source: str, to: str) -> Callable[[Path], None]:
    def fault(root: Path) -> None:
        shutil.copy(root / source, root / to)

    return fault


def rewrite(path: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def fault(root: Path) -> None:
        (root / path).write_bytes(change((root / path).read_bytes()))

    return fault


def remove(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def encoded_anew(source: str, to: str) -> Callable[[Path], None]:
    """The same view, a little smaller and at another quality, under another name."""

    def fault(root: Path) -> None:
        image = cv2.imread(str(root / source))
        image = cv2.resize(cv2.resize(image, (90, 60)), (WIDTH, HEIGHT))
        cv2.imwrite(str(root / to), image, [cv2.IMWRITE_JPEG_QUALITY, 70])

    return fault


def both(*faults: Callable[[Path], None]) -> Callable[[Path], None]:
    def fault(root: Path) -> None:
        for each in faults:
            each(root)

    return fault


def with_exif(path: str, orientation: int) -> Callable[[Path], None]:
    """An EXIF segment with nothing but the orientation, after the start of a JPEG."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    tiff = b"MM\x00\x2a\x00\x00\x00\x08" + b"\x00\x01" + entry + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    return rewrite(path, lambda data: data[:2] + segment + data[2:])
