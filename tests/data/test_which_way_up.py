"""Boxes lie on what they were drawn on: all formats, all orientations, sizes stated or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from otadet.choices import Known
from otadet.data import FileDataset, find_data, open_data
from otadet.data.convert import convert
from otadet.data.exif import INVERSE, SWAPPED, oriented
from otadet.geometry import Size

Box = tuple[int, int, int, int]
BOX: Box = (8, 4, 32, 16)  # on the upright image, near its upper left


def paint(path: Path, orientation: int, size: Size, box: Box) -> npt.NDArray[np.uint8]:
    """A photo with a white object, stored as a camera that was held so would."""
    upright = np.zeros((*size, 3), np.uint8)
    x1, y1, x2, y2 = box
    upright[y1:y2, x1:x2] = 255
    stored = oriented(upright, INVERSE[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True)
    Image.fromarray(stored).save(path, quality=95, exif=exif)
    return stored


def drawn_on(pixels: npt.NDArray[np.uint8]) -> Box:
    y, x = np.nonzero(pixels[..., 0])
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def make_coco(root: Path, box: Box, size: Size | None) -> None:
    x1, y1, x2, y2 = box
    image = {"id": 1, "file_name": "a.jpg"}
    stated = {"height": size[0], "width": size[1]} if size else {}
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
    content = {
        "images": [{**image, **stated}],
        "annotations": [row],
        "categories": [{"id": 1, "name": "ant"}],
    }
    (root / "annotations").mkdir()
    (root / "annotations/train.json").write_text(json.dumps(content), encoding="utf-8")


def make_odgt(root: Path, box: Box, size: Size | None) -> None:
    x1, y1, x2, y2 = box
    stated = {"height": size[0], "width": size[1]} if size else {}
    line = {"ID": "a", "gtboxes": [{"tag": "ant", "fbox": [x1, y1, x2 - x1, y2 - y1]}], **stated}
    (root / "annotation_train.odgt").write_text(json.dumps(line) + "\n", encoding="utf-8")


def make_voc(root: Path, box: Box, size: Size | None) -> None:
    x1, y1, x2, y2 = box
    stated = f"<size><width>{size[1]}</width><height>{size[0]}</height></size>" if size else ""
    corners = f"<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
    (root / "Annotations").mkdir()
    (root / "Annotations/a.xml").write_text(
        f"<annotation><filename>a.jpg</filename>{stated}<object><name>ant</name>"
        f"<bndbox>{corners}</bndbox></object></annotation>",
        encoding="utf-8",
    )
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_text("a\n", encoding="utf-8")


def make_yolo(root: Path, box: Box, size: Size) -> None:
    x1, y1, x2, y2 = box
    height, width = size
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    (root / "labels/train").mkdir(parents=True)
    (root / "labels/train/a.txt").write_text(
        f"0 {'{} {} {} {}'.format(*shares)}\n", encoding="utf-8"
    )
    (root / "data.yaml").write_text("train: images/train\nnames: [ant]\n", encoding="utf-8")


Maker = Callable[[Path, Box, Size | None], None]
FORMATS: dict[Known, tuple[str, Maker]] = {
    "coco": ("images", make_coco), "odgt": ("Images", make_odgt), "voc": ("JPEGImages", make_voc),
}  # fmt: skip


def check(data: FileDataset) -> None:
    for sample in (data.load(0), data.load_reduced(0, 2)):
        (box,) = sample.boxes
        x1, y1, x2, y2 = box.round().astype(int).tolist()
        inside = sample.image[y1:y2, x1:x2].astype(int)
        assert inside.size and inside.mean() > 240
        assert sample.image.sum() - inside.sum() < 0.1 * inside.sum()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(40, 80), (48, 48)])
@pytest.mark.parametrize("stated", ["upright", "stored", "none"])
@pytest.mark.parametrize("kind", FORMATS)
def test_boxes_lie_on_what_they_were_drawn_on(
    tmp_path: Path, kind: Known, stated: str, size: Size, orientation: int
) -> None:
    """Where the stored size alone is stated, on the stored pixels, else on the upright image."""
    folder, make = FORMATS[kind]
    root = tmp_path / "data"
    stored = paint(root / folder / "a.jpg", orientation, size, BOX)
    lying = stated == "stored" and orientation in SWAPPED and size[0] != size[1]
    shape = size if stated == "upright" else (stored.shape[0], stored.shape[1])
    make(root, drawn_on(stored) if lying else BOX, None if stated == "none" else shape)
    data = open_data(find_data(root, "train", val_fraction=0))
    assert tuple(data.sizes[0]) == (shape if lying else size)
    check(data)
    for to in ("yolo", "coco"):
        convert({"train": data}, tmp_path / to, to, progress=False)  # type: ignore[arg-type]
        check(open_data(find_data(tmp_path / to, "train", val_fraction=0)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(40, 80), (48, 48)])
@pytest.mark.parametrize("to", ["coco", "voc", "odgt", "yolo"])
def test_yolos_boxes_are_those_of_the_upright_image(
    tmp_path: Path, to: Known, size: Size, orientation: int
) -> None:
    """Also after a conversion, there and back."""
    root = tmp_path / "data"
    paint(root / "images/train/a.jpg", orientation, size, BOX)
    make_yolo(root, BOX, size)
    data = open_data(find_data(root, "train", val_fraction=0))
    convert({"train": data}, tmp_path / "new", to, progress=False)
    converted = open_data(find_data(tmp_path / "new", "train", val_fraction=0))
    convert({"train": converted}, tmp_path / "back", "yolo", progress=False)
    for each in (data, converted, open_data(find_data(tmp_path / "back", "train", val_fraction=0))):
        check(each)
