"""Every format gives a box to the same pixels, whichever way the file stores them.

An image is read upright, as its EXIF orientation says; only where the annotation states the stored
size and not the upright one, as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from otadet.choices import FORMATS as KNOWN
from otadet.data import FileDataset, find_data, open_data
from otadet.data.convert import convert

Corners = tuple[int, int, int, int]
NAMES = ("blue", "green", "red")
"""By the alphabet, which is their order in all formats."""
COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
BOXES: tuple[Corners, ...] = ((4, 4, 20, 14), (24, 8, 36, 32), (8, 24, 16, 44))
ORIENTATION = 0x0112
STORED = {  # from the upright image to the stored one, the reverse of what EXIF asks for
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What an annotation says of an image: stated width and height, and a box for each class."""

    name: str
    size: tuple[int, int] | None
    boxes: tuple[Corners, ...]
    true: tuple[int, int]
    """Width and height of the frame that the boxes are in."""


def upright(width: int, height: int) -> Image.Image:
    pixels = np.full((height, width, 3), 90, np.uint8)
    for (x1, y1, x2, y2), colour in zip(BOXES, COLOURS):
        pixels[y1:y2, x1:x2] = colour
    return Image.fromarray(pixels)


def painted(image: Image.Image) -> tuple[Corners, ...]:
    """Where each colour is."""
    pixels = np.asarray(image)
    places = [np.nonzero((pixels == colour).all(axis=2)) for colour in COLOURS]
    return tuple(
        (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1) for y, x in places
    )


def entries(folder: Path, side: tuple[int, int], stated: str, suffix: str) -> list[Entry]:
    """Write an image of each orientation; say of it what an annotation of it says."""
    folder.mkdir(parents=True)
    made = []
    for orientation in range(1, 9):
        image = upright(*side)
        stored = image.transpose(STORED[orientation]) if orientation > 1 else image
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        stored.save(folder / f"{orientation}{suffix}", exif=exif, quality=95, subsampling=0)
        turned = stated == "stored" and stored.size != image.size
        frame = stored if turned else image
        size = None if stated == "nothing" else frame.size
        made.append(Entry(f"{orientation}{suffix}", size, painted(frame), frame.size))
    return made


def coco(root: Path, listed: Sequence[Entry]) -> None:
    images: list[dict[str, Any]] = [{"id": i, "file_name": e.name} for i, e in enumerate(listed)]
    for image, entry in zip(images, listed):
        image.update(zip(("width", "height"), entry.size or ()))
    rows = [
        {"id": 3 * i + k, "image_id": i, "category_id": k, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for i, entry in enumerate(listed)
        for k, (x1, y1, x2, y2) in enumerate(entry.boxes)
    ]
    names = [{"id": k, "name": name} for k, name in enumerate(NAMES)]
    document = {"images": images, "annotations": rows, "categories": names}
    _put(root / "annotations/train.json", json.dumps(document))


def odgt(root: Path, listed: Sequence[Entry]) -> None:
    def line(entry: Entry) -> str:
        boxes = [
            {"tag": name, "fbox": [x1, y1, x2 - x1, y2 - y1], "extra": {}}
            for name, (x1, y1, x2, y2) in zip(NAMES, entry.boxes)
        ]
        content = {"ID": entry.name, "file_name": entry.name, "gtboxes": boxes}
        return json.dumps(content | dict(zip(("width", "height"), entry.size or ())))

    _put(root / "annotation_train.odgt", "\n".join(map(line, listed)))


def voc(root: Path, listed: Sequence[Entry]) -> None:
    for entry in listed:
        size = "<size><width>{}</width><height>{}</height></size>".format(*entry.size or (0, 0))
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for name, (x1, y1, x2, y2) in zip(NAMES, entry.boxes)
        )
        text = f"<annotation><filename>{entry.name}</filename>{size}{objects}</annotation>"
        _put(root / "Annotations" / Path(entry.name).with_suffix(".xml"), text)
    _put(root / "ImageSets/Main/train.txt", "".join(f"{Path(e.name).stem}\n" for e in listed))


def yolo(root: Path, listed: Sequence[Entry]) -> None:
    for entry in listed:
        width, height = entry.true
        rows = [
            f"{k} {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} "
            f"{(y2 - y1) / height}\n"
            for k, (x1, y1, x2, y2) in enumerate(entry.boxes)
        ]
        _put(root / "labels/train" / Path(entry.name).with_suffix(".txt"), "".join(rows))
    _put(root / "data.yaml", f"train: images/train\nnames: {list(NAMES)}\n")


def labelme(root: Path, listed: Sequence[Entry]) -> None:
    for entry in listed:
        shapes = [
            {"label": name, "points": [[x1, y1], [x2, y2]], "shape_type": "rectangle"}
            for name, (x1, y1, x2, y2) in zip(NAMES, entry.boxes)
        ]
        width, height = entry.size or (None, None)
        content = {"shapes": shapes, "imagePath": entry.name, "imageData": None}
        content |= {"imageWidth": width, "imageHeight": height}
        path = root / "train" / Path(entry.name).with_suffix(".json")
        _put(path, json.dumps(content))


def csv(root: Path, listed: Sequence[Entry]) -> None:
    sized = listed[0].size is not None
    header = ["filename", "class", "xmin", "ymin", "xmax", "ymax", *["width", "height"] * sized]
    lines = [
        [entry.name, name, *box, *(entry.size or ())]
        for entry in listed
        for name, box in zip(NAMES, entry.boxes)
    ]
    _put(root / "train.csv", "".join(",".join(map(str, line)) + "\n" for line in [header, *lines]))


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


Writer = Callable[[Path, Sequence[Entry]], None]
FORMATS: dict[Writer, str] = {
    coco: "images", odgt: "Images", voc: "JPEGImages", yolo: "images/train", labelme: "train",
    csv: "images",
}  # fmt: skip


STATED = ("nothing", "upright", "stored")


def _share(pixels: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> float:
    return float((np.abs(pixels.astype(int) - colour).max(axis=2) < 60).mean())


def check(data: FileDataset) -> None:
    """Each colour fills its box and is nowhere else."""
    assert data.class_names == NAMES and len(data) == 8
    for index in range(8):
        for sample in (data.load(index), data.load_reduced(index, 2)):
            where = f"{data.ground_truth(index).file_name} of {sample.image.shape}"
            assert sample.labels.tolist() == [0, 1, 2], where
            for (x1, y1, x2, y2), label in zip(sample.boxes.astype(int), sample.labels):
                colour = COLOURS[label]
                inside = sample.image[y1:y2, x1:x2]
                everywhere = _share(sample.image, colour) * sample.image[..., 0].size
                assert _share(inside, colour) > 0.9, where
                assert everywhere < 1.2 * inside[..., 0].size, where


SIDES = pytest.mark.parametrize("side", [(40, 56), (56, 56)], ids=["oblong", "square"])
SETS = pytest.mark.parametrize(
    ("write", "stated"),
    [(w, s) for w in FORMATS for s in STATED if w is not yolo or s == "nothing"],
    ids=lambda each: getattr(each, "__name__", each),
)


@SIDES
@SETS
@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_pixels_under_each_box(
    write: Writer, stated: str, suffix: str, side: tuple[int, int], tmp_path: Path
) -> None:
    write(tmp_path, entries(tmp_path / FORMATS[write], side, stated, suffix))
    check(open_data(find_data(tmp_path, "train", val_fraction=0)))


@SIDES
@SETS
def test_pixels_under_each_box_of_a_conversion(
    write: Writer, stated: str, side: tuple[int, int], tmp_path: Path
) -> None:
    write(tmp_path / "data", entries(tmp_path / "data" / FORMATS[write], side, stated, ".jpg"))
    data = open_data(find_data(tmp_path / "data", "train", val_fraction=0))
    for to in KNOWN:
        convert({"train": data}, tmp_path / to, to, progress=False)
        check(open_data(find_data(tmp_path / to, "train", val_fraction=0)))


@pytest.mark.parametrize("orientation", STORED)
def test_the_images_are_stored_as_exif_says(orientation: int) -> None:
    image = upright(40, 56)
    stored = image.transpose(STORED[orientation])
    stored.getexif()[ORIENTATION] = orientation
    assert ImageOps.exif_transpose(stored).tobytes() == image.tobytes()
