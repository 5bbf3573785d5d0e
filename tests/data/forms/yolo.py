"""Where tools put YOLO's labels, images and names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.data.forms.form import DIVIDED, form
from tests.data.forms.scenes import ALL, HEIGHT, TRAIN, VAL, WIDTH, Box, boxes, put, put_images

Row = Callable[[Box], str]
NAMES = "names: [red, green]\n"
YAML = "train: images/train\nval: images/val\nnc: 2\n" + NAMES


def row(box: Box, style: str = ".6f") -> str:
    x1, y1, x2, y2 = box.xyxy
    sides = ((x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT, box.w / WIDTH, box.h / HEIGHT)
    return f"{box.label} " + " ".join(format(side, style) for side in sides)


def put_labels(
    folder: Path, scenes: Sequence[int] = ALL, name: str = "im{}.txt", row: Row = row
) -> None:
    for scene in scenes:
        put(folder / name.format(scene), "".join(row(box) + "\n" for box in boxes(scene)))


def _places(name: str, images: str, labels: str, more: dict[str, str], **expected: Any) -> None:
    """Images and labels a split, and some small text files."""

    @form(f"YOLO: {name}", tolerance=0.01, **expected)
    def write(root: Path) -> None:
        val = "valid" if "Roboflow" in name else "val"
        for split, scenes in (("train", TRAIN), (val, VAL)):
            put_images(root / images.format(split), scenes)
            put_labels(root / labels.format(split), scenes)
        for path, text in more.items():
            put(root / path, text.format(root=root))


def _one(name: str, images: str, labels: str, more: dict[str, str], **expected: Any) -> None:
    """One split, which is divided."""

    @form(f"YOLO: {name}", **DIVIDED, **expected)
    def write(root: Path) -> None:
        put_images(root / images)
        put_labels(root / labels)
        for path, text in more.items():
            put(root / path, text)


ULTRALYTICS = ("images/{}", "labels/{}")
_places("ultralytics", *ULTRALYTICS, {"data.yaml": "path: .\n" + YAML})
_places("names alone", *ULTRALYTICS, {"data.yaml": NAMES})
_places("classes.txt", *ULTRALYTICS, {"classes.txt": "red\ngreen\n"})
_places("classes.txt beside labels", *ULTRALYTICS, {"labels/classes.txt": "red\ngreen\n"})
_places("the YAML file named", *ULTRALYTICS, {"mine.yaml": YAML}, data="mine.yaml")
_places("FiftyOne", *ULTRALYTICS, {
    "dataset.yaml": "names:\n  0: red\n  1: green\npath: {root}\n"
    "train: ./images/train/\nval: ./images/val/\n",
})  # fmt: skip
_places("a path of another machine", *ULTRALYTICS, {
    "data.yaml": "path: /content/drive/MyDrive/set\n" + YAML,
})  # fmt: skip
_places("absolute folders of another machine", *ULTRALYTICS, {
    "data.yaml": f"train: /home/ann/set/images/train\nval: /home/ann/set/images/val\n{NAMES}",
})  # fmt: skip
_places("Windows folders", *ULTRALYTICS, {
    "data.yaml": f"train: D:\\set\\images\\train\nval: D:\\set\\images\\val\n{NAMES}",
})  # fmt: skip
_places("Roboflow", "{}/images", "{}/labels", {
    "data.yaml": "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
    "names: ['red', 'green']\n\nroboflow:\n  workspace: mine\n  license: CC BY 4.0\n",
    "README.dataset.txt": "exported",
})  # fmt: skip
_places("images and labels in a folder a split", "{}", "{}", {"classes.txt": "red\ngreen\n"})
_places("CVAT ultralytics", *ULTRALYTICS, {
    "data.yaml": "names:\n  0: red\n  1: green\npath: .\ntrain: train.txt\nval: val.txt\n",
    "train.txt": "".join(f"data/images/train/im{i}.jpg\n" for i in TRAIN),
    "val.txt": "".join(f"data/images/val/im{i}.jpg\n" for i in VAL),
}, findings={"file-name-resolved": 6})  # fmt: skip
_places("Windows lists of images", *ULTRALYTICS, {
    "data.yaml": "train: train.txt\nval: val.txt\n" + NAMES,
    "train.txt": "".join(f"C:\\set\\images\\train\\im{i}.jpg\r\n" for i in TRAIN),
    "val.txt": "".join(f"C:\\set\\images\\val\\im{i}.jpg\r\n" for i in VAL),
}, findings={"file-name-resolved": 6})  # fmt: skip
_places("darknet lists", "obj_{}_data", "obj_{}_data", {
    "obj.data": "classes = 2\ntrain = data/train.txt\nvalid = data/val.txt\n"
    "names = data/obj.names\nbackup = backup/\n",
    "obj.names": "red\ngreen\n",
    "train.txt": "".join(f"data/obj_train_data/im{i}.jpg\n" for i in TRAIN),
    "val.txt": "".join(f"data/obj_val_data/im{i}.jpg\n" for i in VAL),
}, findings={"file-name-resolved": 6})  # fmt: skip

_one("CVAT 1.1", "obj_train_data", "obj_train_data", {
    "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
    "obj.names": "red\ngreen\n",
    "train.txt": "".join(f"data/obj_train_data/im{i}.jpg\n" for i in ALL),
}, findings={"file-name-resolved": 6})  # fmt: skip
_one("Label Studio", "images", "labels", {
    "classes.txt": "red\ngreen\n",
    "notes.json": '{"categories": [{"id": 0, "name": "red"}, {"id": 1, "name": "green"}]}',
})  # fmt: skip
_one("labelImg", "", "", {"classes.txt": "red\ngreen\n"})
_one("labelImg, labels in a folder", "photos", "labels", {"labels/classes.txt": "red\ngreen\n"})
_one("training alone", "images/train", "labels/train", {
    "data.yaml": "train: images/train\n" + NAMES,
})  # fmt: skip
