"""labelme and X-AnyLabeling: shapes, which image a file belongs to, classes, and every fault."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otadet.choices import Known
from otadet.data import ReadOptions, write_image
from otadet.data.convert import convert
from otadet.data.formats import open_data, read_records
from otadet.data.layouts import SplitPaths
from otadet.data.records import Records
from otadet.errors import InputError

BOX = [[10, 5], [30, 25]]


def shape(points: Any = BOX, kind: Any = "rectangle", label: Any = "cat", **more: Any) -> Any:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **more}


def write_json(path: Path, *shapes: Any, **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "version": "5.5.0", "flags": {}, "shapes": list(shapes),
        "imagePath": f"{path.stem}.jpg", "imageData": None, "imageHeight": 40, "imageWidth": 60,
        **more,
    }  # fmt: skip
    document = {key: value for key, value in document.items() if value != "left out"}
    path.write_text(json.dumps(document), encoding="utf-8")


def write_images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, np.full((40, 60, 3), 90, np.uint8))


def place(root: Path, annotations: str = "", images: str | None = None) -> SplitPaths:
    folder = None if images is None else root / images
    return SplitPaths("labelme", root, root / annotations, folder, "train")


def codes(records: Records) -> dict[str, int]:
    return dict(Counter(f"{f.severity} {f.code}" for f in records.findings for _ in range(f.count)))


def read(root: Path, *where: str, **how: Any) -> Records:
    return read_records(place(root, *where), ReadOptions(**how))


SHAPES: dict[str, tuple[Any, str | None, list[float]]] = {
    "two corners": ([[10, 5], [30, 25]], "rectangle", [10, 5, 30, 25]),
    "from below right": ([[30.5, 25], [10, 5.25]], "rectangle", [10, 5.25, 30.5, 25]),
    "from above right": ([[30, 5], [10, 25]], "rectangle", [10, 5, 30, 25]),
    "four corners": ([[10, 5], [30, 5], [30, 25], [10, 25]], "rectangle", [10, 5, 30, 25]),
    "polygon": ([[10, 15], [20, 5], [30, 15], [20, 25]], "polygon", [10, 5, 30, 25]),
    "no type": ([[10, 15], [20, 5], [30, 15], [20, 25]], None, [10, 5, 30, 25]),
    "circle": ([[20, 20], [23, 24]], "circle", [15, 15, 25, 25]),
    "rotation": ([[10, 15], [20, 5], [30, 15], [20, 25]], "rotation", [10, 5, 30, 25]),
    "mask": ([[10, 5], [30, 25]], "mask", [10, 5, 30, 25]),
    "cuboid": ([[x, y] for x in (9, 40) for y in (3, 20, 21, 30)], "cuboid", [9, 3, 40, 30]),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_is_the_box_around_it(tmp_path: Path, kind: str) -> None:
    points, name, box = SHAPES[kind]
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape(points, name))
    records = read(tmp_path)
    assert records.boxes.tolist() == [box]
    assert records.findings == ()


def test_boxes_are_where_the_objects_are_painted(tmp_path: Path) -> None:
    image = np.zeros((80, 120, 3), np.uint8)
    cv2.rectangle(image, (5, 7), (29, 33), (255, 255, 255), -1)
    cv2.fillPoly(image, [np.array([[60, 10], [90, 30], [70, 38], [50, 24]])], (255, 255, 255))
    cv2.circle(image, (90, 60), 12, (255, 255, 255), -1)
    write_image(tmp_path / "a.png", image)
    shapes = [
        shape([[30, 34], [5, 7]]),
        shape([[60, 10], [90, 30], [70, 38], [50, 24]], "polygon"),
        shape([[90, 60], [90, 72]], "circle"),
    ]
    write_json(tmp_path / "a.json", *shapes, imageHeight=80, imageWidth=120)
    gt = open_data(place(tmp_path)).ground_truth(0)
    there = open_data(place(tmp_path)).load(0).image[..., 0] > 127
    for x1, y1, x2, y2 in gt.boxes.astype(int).tolist():
        ys, xs = np.nonzero(there[y1 : y2 + 1, x1 : x2 + 1])
        assert abs(xs.min()) + abs(ys.min()) <= 1  # objects fill their boxes
        assert xs.max() >= x2 - x1 - 1
        assert ys.max() >= y2 - y1 - 1
        there[y1 : y2 + 1, x1 : x2 + 1] = False
    assert not there.any()  # and nothing is outside of them


def test_one_json_beside_each_image_and_images_without(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg", "b.png", "sub/a.jpg", "sub/c.jpg", ".ipynb_checkpoints/a.jpg")
    write_json(tmp_path / "a.json", shape())
    write_json(tmp_path / "sub" / "a.json", shape(), shape(label="dog"))
    write_json(tmp_path / "__MACOSX" / "a.json", shape(label="copy"))
    records = read(tmp_path)
    assert records.file_names == ("a.jpg", "sub/a.jpg", "b.png", "sub/c.jpg")
    assert records.image.tolist() == [0, 1, 1]
    assert codes(records) == {"note no-label-file": 2}
    data = open_data(place(tmp_path))
    assert [len(data.ground_truth(i)) for i in range(4)] == [1, 2, 0, 0]
    assert data.ground_truth(2).size == (40, 60)


def test_most_images_without_a_file_are_a_warning(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    write_json(tmp_path / "a.json", shape())
    assert codes(read(tmp_path)) == {"warning no-label-file": 2}


PATHS = {
    "relative": "../images/a.jpg",
    "windows": "..\\images\\a.jpg",
    "foreign": "C:\\Users\\Kim\\set 2\\a.jpg",
    "other machine": "/home/kim/a.JPG",
    "missing": "left out",
    "null": None,
    "no text": 7,
    "empty": "",
}


@pytest.mark.parametrize("kind", PATHS)
def test_a_file_belongs_to_the_image_of_its_name(tmp_path: Path, kind: str) -> None:
    write_images(tmp_path / "images", "a.jpg", "b.jpg")
    write_json(tmp_path / "labels" / "a.json", shape(), imagePath=PATHS[kind])
    records = read(tmp_path, "labels", "images")
    assert records.file_names == ("a.jpg", "b.jpg")
    assert codes(records) == {"note no-label-file": 1}


def test_image_path_that_names_another_image(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg", "b.jpg", "c.png")
    write_json(tmp_path / "a.json", shape(), imagePath="b.jpg")  # renamed with its image
    write_json(tmp_path / "b.json", shape(), imagePath="old/IMG_7.jpg")
    write_json(tmp_path / "c.json", shape(), imagePath="c.jpg")  # converted
    records = read(tmp_path)
    assert records.file_names == ("a.jpg", "b.jpg", "c.png")
    assert codes(records) == {"repaired image-by-name": 2}
    assert str(records.findings[0].spots[0]) == f"{tmp_path}/a.json (a.jpg): got 'b.jpg'"
    with pytest.raises(InputError, match=r"a\.json.*'imagePath' is another image.*strict_data"):
        open_data(place(tmp_path), ReadOptions(strict=True))


def test_image_path_counts_where_no_image_has_the_name(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "x/IMG_7.jpg", "b.jpg")
    write_json(tmp_path / "0001.json", shape(), imagePath="D:\\data\\x\\IMG_7.jpg")
    write_json(tmp_path / "lost.json", shape(), imagePath="..\\gone.jpg")
    records = read(tmp_path, "", "images")
    assert records.file_names == ("x/IMG_7.jpg", "../gone.jpg", "b.jpg")
    with pytest.raises(InputError, match=r"gone\.jpg"):
        open_data(place(tmp_path, "", "images"))


def test_images_of_one_name(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg", "a.png", "x/b.jpg", "y/b.jpg")
    write_json(tmp_path / "a.json", shape(), imagePath="a.png")
    write_json(tmp_path / "labels" / "b.json", shape(), imagePath="../y/b.jpg")
    records = read(tmp_path)
    assert records.file_names == ("a.png", "y/b.jpg", "x/b.jpg")
    assert codes(records) == {"warning image-left-over": 1, "note no-label-file": 1}
    assert records.findings[0].spots[0].image == "a.jpg"


def test_two_files_of_one_image(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape())
    write_json(tmp_path / "copy.json", shape(), imagePath="a.jpg")
    records = read(tmp_path)
    assert codes(records) == {"error image-listed-twice": 1}
    assert f"{tmp_path}/copy.json" in str(records.findings[0].spots[0])
    assert f"{tmp_path}/a.json" in records.findings[0].spots[0].got


def test_accents_and_endings_in_other_spellings(tmp_path: Path) -> None:
    write_images(tmp_path, "cafe\u0301.jpg", "IMG_1.JPG", "d.jpg")  # decomposed, as from a Mac
    write_json(tmp_path / "caf\u00e9.json", shape(), imagePath="caf\u00e9.jpg")
    write_json(tmp_path / "img_1.JSON", shape(), imagePath="img_1.jpg")
    write_json(tmp_path / "d.jpg.json", shape(), imagePath="left out")
    records = read(tmp_path)
    assert set(records.file_names) == {"cafe\u0301.jpg", "IMG_1.JPG", "d.jpg"}
    assert codes(records) == {}


def test_images_of_another_split_are_not_background(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "train/a.jpg", "train/b.jpg", "val/a.jpg", "val/c.jpg")
    write_json(tmp_path / "labels" / "a.json", shape())
    records = read(tmp_path, "labels", "images")
    assert records.file_names == ("train/a.jpg", "train/b.jpg")
    whole = replace(place(tmp_path, "labels", "images"), divide=0.2)
    sides = [read_records(replace(whole, split=split), ReadOptions()) for split in ("train", "val")]
    assert sum(map(len, sides)) >= 4


def test_points_lines_and_background_are_left_out(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    left = [shape([[1, 2]], "point"), shape([[1, 2], [3, 4]], "line"), shape(BOX, "linestrip")]
    write_json(tmp_path / "a.json", *left, shape(), shape(label="_background_"))
    records = read(tmp_path)
    assert len(records.boxes) == 1
    assert codes(records) == {"note shape-no-area": 3}
    assert str(records.findings[0].spots[1]) == f"{tmp_path}/a.json: shape 2 (a.jpg): line"


def test_classes_found_listed_given_and_of_a_checkpoint(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape(label="dog"), shape(label=" cat "))
    assert read(tmp_path).names == ("cat", "dog")
    assert read(tmp_path).labels.tolist() == [1, 0]
    data = open_data(place(tmp_path), ReadOptions(classes=("emu", "dog", "cat")))
    assert data.ground_truth(0).labels.tolist() == [1, 2]
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nyak\ndog\ncat\n", "utf-8")
    assert read(tmp_path).names == ("yak", "dog", "cat")
    data = open_data(place(tmp_path), ReadOptions(class_names=("cat", "dog")))
    assert data.ground_truth(0).labels.tolist() == [1, 0]
    (tmp_path / "classes.txt").write_text("dog\n", encoding="utf-8")
    records = read(tmp_path)
    assert codes(records) == {"error class-unknown": 1}
    assert records.findings[0].spots[0].got == "got 'cat'"


def test_ignore_regions_and_difficult_objects(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    shapes = [shape(), shape(label="__ignore__"), shape(label="dog", difficult=True)]
    write_json(tmp_path / "a.json", *shapes)
    gt = open_data(place(tmp_path)).ground_truth(0)
    assert (gt.labels.tolist(), len(gt.ignore_boxes)) == ([0], 2)
    assert gt.ignore_labels is not None
    assert gt.ignore_labels.tolist() == [-1, 1]  # of every class, and of dog
    kept = open_data(place(tmp_path), ReadOptions(difficult="keep")).ground_truth(0)
    assert (kept.labels.tolist(), len(kept.ignore_boxes)) == ([0, 1], 1)


SIZES: dict[str, tuple[Any, Any, Any, dict[str, int]]] = {
    "stated": (40, 60, [40, 60], {}),
    "null": (None, None, [None, None], {}),
    "zero": (0, 60, [None, 60], {}),
    "text": ("40", "60", [40, 60], {"repaired number-as-text": 2}),
    "no number": ([40], 60, [None, 60], {"error value-invalid": 1}),
    "half": (40.5, 60, [None, 60], {"error value-invalid": 1}),
}


@pytest.mark.parametrize("kind", SIZES)
def test_sizes(tmp_path: Path, kind: str) -> None:
    height, width, expected, findings = SIZES[kind]
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape(), imageHeight=height, imageWidth=width)
    records = read(tmp_path)
    assert [None if np.isnan(side) else side for side in records.sizes[0]] == expected
    assert codes(records) == findings
    if not any(code.startswith("error") for code in findings):
        assert open_data(place(tmp_path)).sizes.tolist() == [[40, 60]]


FAULTS: dict[str, tuple[Any, str, str]] = {
    "text": (shape([["ten", 5], [30, 25]]), "box-invalid", "shape 2.*'ten'"),
    "number text": (shape([["10", 5], [30, 25]]), "box-invalid", "shape 2.*'10'"),
    "nan": (shape([[float("nan"), 5], [30, 25]]), "box-invalid", "nan"),
    "infinite": (shape([[1e300, 5], [30, 25]]), "box-invalid", r"1e\+300"),
    "null": (shape(None), "box-invalid", "got None of a rectangle"),
    "one corner": (shape([[10, 5]]), "box-invalid", r"\[\[10, 5\]\]"),
    "three corners": (shape([[10, 5], [3, 4], [5, 6]]), "box-invalid", "rectangle"),
    "two points": (shape(kind="polygon"), "box-invalid", "polygon"),
    "rimless": (shape([[10, 5]], "circle"), "box-invalid", "circle"),
    "flat list": (shape([10, 5, 30, 25]), "box-invalid", r"\[10, 5, 30, 25\]"),
    "label": (shape(label=""), "value-invalid", "'label'.*got ''"),
    "no label": (shape(label=None), "value-invalid", "'label'.*got None"),
    "list": (shape(label=["cat"]), "value-invalid", "'label'.*'cat'"),
    "type": (shape(kind="blob"), "value-invalid", "shape 2.*unknown shape_type 'blob'"),
    "type list": (shape(kind=["polygon"]), "value-invalid", "shape 2.*unknown shape_type"),
    "no object": ("cat", "value-invalid", "shape 2.*got 'cat'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, fault: str) -> None:
    row, code, message = FAULTS[fault]
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape(), row)
    records = read(tmp_path)
    assert codes(records) == {f"error {code}": 1}
    with pytest.raises(InputError, match=rf"a\.json.*{message}") as caught:
        open_data(place(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_number_as_label_is_a_name(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape(label=3), shape(label="3"))
    records = read(tmp_path)
    assert (records.names, records.labels.tolist()) == (("3",), [0, 0])
    assert codes(records) == {"repaired class-name-number": 1}


def test_all_faults_of_all_files_at_once(tmp_path: Path) -> None:
    write_images(tmp_path, *(f"{i}.jpg" for i in range(4)))
    write_json(tmp_path / "0.json", shape(None))
    (tmp_path / "1.json").write_text('{"shapes": [', encoding="utf-8")
    (tmp_path / "2.json").write_text("[]", encoding="utf-8")
    write_json(tmp_path / "3.json", shape(), shape(label=""))
    with pytest.raises(InputError) as caught:
        open_data(place(tmp_path))
    message = str(caught.value)
    assert message.startswith("4 errors in the annotations:")
    for part in ("0.json: shape 1", "1.json", "broken JSON at line 1", "2.json", "a list 'shapes'"):
        assert part in message


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    write_images(tmp_path, "a.jpg")
    text = json.dumps({"shapes": [shape(label="Käse")]}, ensure_ascii=False)
    (tmp_path / "a.json").write_bytes(text.encode(encoding))
    records = read(tmp_path)
    assert records.names == ("Käse",)
    assert codes(records) == ({"note encoding": 1} if encoding == "latin-1" else {})


def test_json_of_something_else_is_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path, "a.jpg")
    write_json(tmp_path / "a.json", shape())
    (tmp_path / "settings.json").write_text('{"labels": []}', encoding="utf-8")
    records = read(tmp_path)
    assert (records.file_names, codes(records)) == (("a.jpg",), {"note label-without-picture": 1})


def test_folders_that_are_not_there_or_hold_nothing(tmp_path: Path) -> None:
    write_images(tmp_path, "images/a.jpg")
    for where, message in (
        (("labels", "images"), "labels: folder not found"),
        (("images", "photos"), "photos: folder not found"),
        (("images", "images"), r"images: expected labelme's files \*\.json"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path, *where)


def test_embedded_images_are_not_kept(tmp_path: Path) -> None:
    data = base64.b64encode(bytes(3 << 20)).decode()
    for i in range(12):
        write_images(tmp_path, f"{i}.jpg")
        write_json(tmp_path / f"{i}.json", shape(), imageData=data)
    tracemalloc.start()
    records = read(tmp_path)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(records.boxes) == 12
    assert kept < 2 << 20


def test_a_hundred_thousand_boxes(tmp_path: Path) -> None:
    corners = np.random.default_rng(0).uniform(0, 40, (100, 2, 2))
    shapes = [shape(each, label=f"c{i % 7}") for i, each in enumerate(corners.tolist())]
    write_json(tmp_path / "first.json", *shapes)
    text = (tmp_path / "first.json").read_bytes()
    for i in range(1000):
        (tmp_path / f"{i}.json").write_bytes(text)
        (tmp_path / f"{i}.jpg").touch()
    (tmp_path / "first.json").unlink()
    records = read(tmp_path)
    expected = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    assert (records.boxes.reshape(1000, 100, 4) == expected).all()
    assert (records.labels.reshape(1000, 100) == np.arange(100) % 7).all()
    assert (records.image == np.repeat(np.arange(1000), 100)).all()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_images(tmp_path / "old", "sub/a.jpg", "b.jpg")
    write_json(tmp_path / "old" / "sub" / "a.json", shape(label="dog"), shape([[1.5, 2], [3, 4]]))
    old = open_data(place(tmp_path, "old"))
    kinds: tuple[Known, ...] = ("labelme", "csv")
    for kind in kinds:
        new = tmp_path / kind
        convert({"train": old}, new, kind, progress=False)
        path = new / ("train_labels.csv" if kind == "csv" else "images/train")
        back = open_data(SplitPaths(kind, new, path, new / "images" / "train", "train"))
        assert back.class_names == old.class_names
        assert not back.findings
        images = {back.ground_truth(i).file_name: back.ground_truth(i) for i in range(len(back))}
        for index in range(len(old)):
            gt = old.ground_truth(index)
            assert images[gt.file_name].boxes.tolist() == gt.boxes.tolist()
            assert images[gt.file_name].labels.tolist() == gt.labels.tolist()
            assert images[gt.file_name].size == gt.size
