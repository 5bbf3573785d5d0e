"""``demo image --save-labels``: detections as a data set, read again by the readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import otadet
from otadet.cli import demo
from otadet.data import FileDataset, ShapesDataset, find_data, open_data
from otadet.errors import InputError
from tests.export.networks import CLASSES, checkpoint

IDS = (90, 4, 7)
SCORE = 0.35


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("network"), category_ids=IDS)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Images in two folders, two that EXIF turns and mirrors, one without objects."""
    folder = tmp_path / "photos"
    (folder / "sub dir").mkdir(parents=True)
    for index, (name, orientation) in enumerate(
        (("a b.png", 1), ("turned.jpg", 6), ("mirrored.jpg", 2), ("sub dir/c.jpg", 1))
    ):
        pixels = ShapesDataset(1, seed=index, size=(120, 170), object_size=(20.0, 60.0)).load(0)
        image = Image.fromarray(pixels.image)
        exif = image.getexif()
        exif[274] = orientation
        image.save(folder / name, exif=exif)
    Image.new("RGB", (90, 80)).save(folder / "empty.png")
    return folder


def run(best: Path, photos: Path, kind: str, *words: str, conf: float = SCORE) -> int:
    argv = ["image", "-c", str(best), "-d", "cpu", "--path", str(photos / "**/*.*"), "-b", "2"]
    out = str(photos.parent / "out")
    return demo.main([*argv, "-o", out, "--conf", str(conf), "--save-labels", kind, *words])


def check(data: FileDataset, best: Path, photos: Path) -> None:
    """Compare with what the library detects; boxes are equal but for rounding."""
    detector = otadet.load(best, device="cpu", score=SCORE)
    names = {str(path.relative_to(photos)) for path in photos.rglob("*.*")}
    assert set(data.file_names) == names
    total = 0
    for index in range(len(data)):
        gt = data.ground_truth(index)
        expected = detector.predict(photos / gt.file_name)[0]
        assert data.load(index).image.shape == expected.image.shape
        boxes = expected.boxes.numpy()
        kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # this network detects beyond borders
        wanted = [name for name, there in zip(expected.names, kept) if there]
        assert [data.class_names[i] for i in gt.labels.tolist()] == wanted
        np.testing.assert_allclose(gt.boxes, boxes[kept], rtol=0, atol=1e-3)
        total += len(gt)
    assert total > 30
    assert sorted(data.class_names) == sorted(CLASSES)


def test_yolo(best: Path, photos: Path, tmp_path: Path) -> None:
    assert run(best, photos, "yolo") == 0
    made = tmp_path / "out/labels_yolo"
    check(open_data(find_data(made, "train", val_fraction=0)), best, photos)
    for place in ("classes.txt", "labels/train/classes.txt"):
        assert (made / place).read_text(encoding="utf-8").split() == list(CLASSES)
    rows = (made / "labels/train/turned.txt").read_text(encoding="utf-8").splitlines()
    assert all(len(row.split()) == 5 for row in rows)  # no confidence, which tools refuse
    assert (made / "images/train/turned.jpg").resolve() == photos / "turned.jpg"


def test_labelme(best: Path, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert run(best, photos, "labelme", "--save-labels-to", str(folder)) == 0
    made = folder / "images/train"
    check(open_data(find_data(folder, "train", val_fraction=0)), best, photos)
    one = json.loads((made / "sub dir/c.json").read_text(encoding="utf-8"))
    assert one["imagePath"] == "c.jpg"
    assert all(SCORE <= shape["score"] <= 1 for shape in one["shapes"])
    scores = [shape["score"] for shape in one["shapes"]]
    assert scores == sorted(scores, reverse=True) and len(scores) > 5


def test_coco(best: Path, photos: Path, tmp_path: Path) -> None:
    given = {
        "images": [
            {"id": 10 + i, "file_name": str(path.relative_to(photos)), "width": 1, "height": 1}
            for i, path in enumerate(sorted(photos.rglob("*.*")))
        ],
        "annotations": [],
        "categories": [{"id": 5 - i, "name": name} for i, name in enumerate(CLASSES)],
    }
    (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")
    for folder, words, ids in (
        (tmp_path / "own", [], dict(zip(CLASSES, IDS))),
        (tmp_path / "theirs", ["--annotations", str(tmp_path / "given.json")],
         dict(zip(CLASSES, (5, 4, 3)))),
    ):  # fmt: skip
        assert run(best, photos, "coco", "--save-labels-to", str(folder), *words) == 0
        check(open_data(find_data(folder, "train", val_fraction=0)), best, photos)
        text = (folder / "annotations/train.json").read_text(encoding="utf-8")
        document: dict[str, Any] = json.loads(text)
        assert {each["name"]: each["id"] for each in document["categories"]} == ids
        assert all(SCORE <= each["score"] <= 1 for each in document["annotations"])
        if words:
            theirs = {each["file_name"]: each["id"] for each in given["images"]}
            assert {each["file_name"]: each["id"] for each in document["images"]} == theirs


def test_an_older_folder_is_never_replaced(best: Path, photos: Path, tmp_path: Path) -> None:
    assert run(best, photos, "yolo", conf=0.9) == 0
    label = tmp_path / "out/labels_yolo/labels/train/a b.txt"
    label.write_text("corrected", encoding="utf-8")
    with pytest.raises(InputError, match=r"labels_yolo: already exists.*--save-labels-to$"):
        run(best, photos, "yolo")
    assert label.read_text(encoding="utf-8") == "corrected"


def test_what_cannot_be_written_is_refused_before_detection(
    best: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "turned.png").write_bytes((photos / "a b.png").read_bytes())
    words = ["-c", str(best), "-d", "cpu", "-o", str(tmp_path / "out")]
    url = ["image", "--path", "http://127.0.0.1:9/a.jpg", "--save-labels", "coco"]
    image = ["image", "--path", str(photos / "a b.png")]
    for argv, message in (
        (["image", "--path", str(photos), "--save-labels", "yolo"],
         r"turned\.png: turned\.jpg would have the same label file"),
        (url, r"--save-labels: expected image files, got http://127"),
        (["video", "--path", "a.mp4", "--save-labels", "yolo"], "--save-labels is for images"),
        ([*image, "--save-labels-to", "x"], "--save-labels-to: give --save-labels"),
        ([*image, "--annotations", "x.json"], "--annotations: its ids are for --save-json"),
        ([*image, "--save-json", "x", "--annotations", "x.json"], r"x\.json: .*not found"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message) as error:
            demo.main([*argv, *words])
        assert "\n" not in str(error.value)
        assert {path.name for path in tmp_path.iterdir()} == {"photos"}
