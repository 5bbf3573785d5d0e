"""What the converter writes for other tools: labelme's JSON, CSV, COCO with the ids of the data."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from otadet.choices import Known
from otadet.cli import convert_dataset
from otadet.data import FileDataset, find_data, open_data
from otadet.data.convert import convert
from otadet.errors import InputError
from tests.data.test_convert import Images, images, make, quick, replaced_names, same

RED = (255, 0, 0)


@pytest.fixture
def data(document: dict[str, Any], write: Any) -> Path:
    """The COCO data set of three images with ids 9, 2 and 4, as both splits."""
    folder: Path = write(document)
    (folder / "annotations").mkdir()
    for split in ("train", "val"):
        text = (folder / "ann.json").read_text(encoding="utf-8")
        (folder / "annotations" / f"{split}.json").write_text(text, encoding="utf-8")
    return folder


def run(data: Path, to: str, *words: str) -> Path:
    target = data / f"as_{to}"
    assert convert_dataset.main([str(data), str(target), "--to", to, "--force", *words]) == 0
    return target


def opened(data: Path) -> FileDataset:
    return open_data(find_data(data, "train", val_fraction=0))


def test_labelme_opens_each_json_beside_its_image(data: Path, warnings: list[str]) -> None:
    made = run(data, "labelme")
    assert "format labelme has no ignore regions of one class: 2 dropped" in warnings
    for split in ("train", "val"):
        folder = made / "images" / split
        assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == {
            "a.png", "a.json", "sub/b.jpg", "sub/b.json", "c.png", "c.json",
        }  # fmt: skip
        for path in folder.rglob("*.json"):
            one = json.loads(path.read_text(encoding="utf-8"))
            assert one.keys() == {
                "version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth",
            }  # fmt: skip
            height, width = cv2.imread(str(path.parent / one["imagePath"])).shape[:2]
            assert (one["imageHeight"], one["imageWidth"]) == (height, width)
            assert one["imageData"] is None and one["flags"] == {}
    assert json.loads((made / "images/train/c.json").read_text(encoding="utf-8"))["shapes"] == []
    shapes = json.loads((made / "images/train/sub/b.json").read_text(encoding="utf-8"))["shapes"]
    assert [(s["label"], s["points"], s["shape_type"], s["flags"]) for s in shapes] == [
        ("zebra", [[1.0, 2.0], [11.0, 22.0]], "rectangle", {}),
        ("ant", [[20.0, 30.0], [25.0, 35.0]], "rectangle", {}),
    ]
    assert (made / "classes.txt").read_text(encoding="utf-8").split() == ["ant", "bee", "zebra"]


@quick
@given(content=images)
@pytest.mark.parametrize("to", ["labelme", "csv"])
def test_the_reader_has_the_same_boxes(to: Known, content: Images) -> None:
    bare: Images = [(objects, []) for objects, _ in content]
    bare[0] = ([((1, 2, 3, 4), 0, 4.0)], [])
    with tempfile.TemporaryDirectory() as name:
        data = make(Path(name), bare)
        convert({"train": data}, Path(name) / "new", to, progress=False)
        place = find_data(Path(name) / "new", "train", val_fraction=0)
        assert place.format == to
        back = open_data(place)
        same(data, back, all_=False)
        for index in range(len(data)):
            np.testing.assert_array_equal(
                data.ground_truth(index).boxes, back.ground_truth(index).boxes
            )


def test_labelme_has_a_name_for_regions_that_are_ignored(tmp_path: Path) -> None:
    regions = [((3, 4, 9, 8), -1), ((5, 5, 20, 30), 2)]
    data = make(tmp_path, [([((1, 2, 3, 4), 0, 4.0)], regions)])
    done = convert({"train": data}, tmp_path / "new", "labelme", progress=False)
    assert done.lost == {"ignore regions of one class": 1}
    gt = opened(tmp_path / "new").ground_truth(0)
    assert gt.ignore_boxes.tolist() == [[3, 4, 9, 8]]
    assert gt.ignore_labels is not None and gt.ignore_labels.tolist() == [-1]
    named = replaced_names(data, ("p 0.png",), ("__ignore__", "b", "c"))
    with pytest.raises(InputError, match="class '__ignore__': labelme keeps this name"):
        convert({"train": named}, tmp_path / "bad", "labelme", progress=False)


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_labelme_shows_images_upright(tmp_path: Path, orientation: int) -> None:
    """Boxes of the stored pixels lie on their objects in the image that labelme shows."""
    (tmp_path / "images").mkdir()
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[10:20, 30:70] = RED
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[274] = orientation
    image.save(tmp_path / "images/a.png", exif=exif)
    box = [30, 10, 40, 10]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 90, "height": 60}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box}],
        "categories": [{"id": 1, "name": "red"}],
    }
    (tmp_path / "annotations").mkdir()
    text = json.dumps(document)
    (tmp_path / "annotations/train.json").write_text(text, encoding="utf-8")
    made = run(tmp_path, "labelme")
    one = json.loads((made / "images/train/a.json").read_text(encoding="utf-8"))
    shown = cv2.imread(str(made / "images/train/a.png"))  # OpenCV turns as labelme does
    assert shown.shape[:2] == (one["imageHeight"], one["imageWidth"])
    (x1, y1), (x2, y2) = np.array(one["shapes"][0]["points"], int).tolist()
    assert (shown[y1:y2, x1:x2] == RED[::-1]).all()
    assert (shown == RED[::-1]).all(axis=2).sum() == (x2 - x1) * (y2 - y1)


def test_csv_has_a_row_an_object_and_one_for_an_empty_image(
    data: Path, warnings: list[str]
) -> None:
    made = run(data, "csv", "--images", "copy")
    assert "format csv has no ignore regions: 2 dropped" in warnings
    with (made / "train_labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"],
        ["a.png", "60", "40", "bee", "5.5", "6", "12.5", "14"],
        ["sub/b.jpg", "40", "60", "zebra", "1", "2", "11", "22"],
        ["sub/b.jpg", "40", "60", "ant", "20", "30", "25", "35"],
        ["c.png", "32", "32", "", "", "", "", ""],
    ]
    assert (made / "val_labels.csv").read_bytes() == (made / "train_labels.csv").read_bytes()
    assert {str(p.relative_to(made)) for p in (made / "images/val").rglob("*.*")} == {
        "images/val/a.png", "images/val/sub/b.jpg", "images/val/c.png",
    }  # fmt: skip


def test_names_that_a_table_must_quote_or_a_spreadsheet_would_compute(
    data: Path, tmp_path: Path, warnings: list[str]
) -> None:
    names = ('=HYPERLINK("x"),1', "-1", 'a "b", c')
    odd = replaced_names(opened(data), ("a.png", "sub/b.jpg", "c.png"), names)
    convert({"train": odd}, tmp_path / "odd", "csv", progress=False)
    with (tmp_path / "odd/train_labels.csv").open(newline="", encoding="utf-8") as file:
        assert [row["class"] for row in csv.DictReader(file)] == [names[1], names[2], names[0], ""]
    assert [line for line in warnings if "formula" in line] == [
        f"class {name!r}: a spreadsheet takes it for a formula" for name in names[:2]
    ]
    bad = replaced_names(opened(data), ("a.png", "sub/b.jpg", "c.png"), ("a\nb", "b", "c"))
    for to in ("csv", "labelme"):
        with pytest.raises(InputError, match="without line breaks"):
            convert({"train": bad}, tmp_path / "bad", to, progress=False)  # type: ignore[arg-type]
    assert not (tmp_path / "bad").exists()


def test_images_of_one_json_file_are_refused(data: Path, tmp_path: Path) -> None:
    (data / "images/a.jpg").write_bytes((data / "images/a.png").read_bytes())
    twins = replaced_names(opened(data), ("a.png", "a.jpg", "c.png"))
    with pytest.raises(InputError, match=r"a\.jpg: a\.png would have the same JSON file"):
        convert({"train": twins}, tmp_path / "new", "labelme", progress=False)


def test_category_ids_are_kept_unless_the_classes_are_ordered(data: Path) -> None:
    def written(*words: str) -> dict[str, int]:
        made = run(data, "coco", *words)
        document = json.loads((made / "annotations/val.json").read_text(encoding="utf-8"))
        of = {each["id"]: each["name"] for each in document["categories"]}
        objects = [of[each["category_id"]] for each in document["annotations"]]
        assert sorted(objects) == ["ant", "bee", "bee", "zebra"]
        return {name: number for number, name in of.items()}

    assert written() == {"zebra": 9, "ant": 2, "bee": 4}
    assert written("--classes", "zebra,ant,bee") == {"zebra": 1, "ant": 2, "bee": 3}


def test_labels_of_a_detector_need_a_word(tmp_path: Path) -> None:
    """Rows with a confidence, as detectors write them, by the converter's option only."""
    for folder in ("images/train", "labels/train"):
        (tmp_path / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images/train/a.png"), np.zeros((100, 200, 3), np.uint8))
    row = "0 0.5 0.5 0.25 0.5 0.875\n"
    (tmp_path / "labels/train/a.txt").write_text(row, encoding="utf-8")
    (tmp_path / "classes.txt").write_text("cat\n", encoding="utf-8")
    with pytest.raises(InputError, match="these are predictions, not labels"):
        run(tmp_path, "coco")
    made = run(tmp_path, "coco", "--allow-predictions")
    gt = opened(made).ground_truth(0)
    assert gt.boxes.tolist() == [[75, 25, 125, 75]] and gt.scores is None
