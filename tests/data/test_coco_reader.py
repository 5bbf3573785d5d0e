"""The COCO reader: what it reads, and one clear line for everything that is wrong."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otadet.data import CocoDataset, Dataset, ReadOptions, SplitPaths
from otadet.data.build_table import build_table
from otadet.data.coco import read_coco
from otadet.data.image_sizes import with_sizes
from otadet.errors import InputError
from tests.data.conftest import DOCUMENT

Write = Callable[[dict[str, Any]], Path]


def load(folder: Path, **settings: Any) -> CocoDataset:
    return CocoDataset(folder, "ann.json", "images", **settings)


def test_content(document: dict[str, Any], write: Write) -> None:
    dataset = load(write(document))
    assert isinstance(dataset, Dataset)
    assert dataset.class_names == ("ant", "bee", "zebra")  # by category id, not by place
    assert dataset.sizes.tolist() == [[40, 60], [60, 40], [32, 32]]
    assert dataset.sizes.dtype == np.int64
    assert [dataset.ground_truth(i).image_id for i in range(len(dataset))] == [30, 10, 20]

    gt = dataset.ground_truth(1)
    assert gt.file_name == "sub/b.jpg"
    assert gt.size == (60, 40)
    assert gt.boxes.tolist() == [[1, 2, 11, 22], [20, 30, 25, 35]]
    assert gt.boxes.dtype == np.float32
    assert gt.labels.tolist() == [2, 0]
    assert gt.labels.dtype == np.int64
    assert gt.areas.tolist() == [150.5, 25]  # the mask's where stated, else the box's
    assert gt.ignore_boxes.tolist() == [[0, 0, 40, 60]]
    assert gt.ignore_labels is not None
    assert gt.ignore_labels.tolist() == [1]

    sample = dataset.load(1)
    assert sample.image.shape == (60, 40, 3)
    assert sample.image_id == 10
    assert sample.boxes.tolist() == gt.boxes.tolist()
    assert sample.ignore_boxes.tolist() == gt.ignore_boxes.tolist()
    assert sample.geometry.image_size == sample.geometry.input_size == (60, 40)
    assert len(dataset.ground_truth(2)) == 0


def test_empty_images_are_kept_unless_dropped(document: dict[str, Any], write: Write) -> None:
    del document["annotations"][1]  # image 30 is now empty; 20 was
    document["annotations"] += [
        {"id": 7, "image_id": 20, "category_id": 2, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        {"id": 8, "image_id": 30, "category_id": 2, "bbox": [0, 0, 8, 8], "iscrowd": 1},
    ]
    folder = write(document)
    assert len(load(folder)) == 3
    dropped = load(folder, drop_empty=True)
    assert [dropped.ground_truth(i).image_id for i in range(len(dropped))] == [10]
    assert dropped.skipped["empty_images"] == 2
    assert dropped.ground_truth(0).ignore_boxes.tolist() == [[0, 0, 40, 60]]
    assert dropped.load(0).image_id == 10
    document["annotations"] = []
    with pytest.raises(InputError, match=r"no images are left"):
        load(write(document), drop_empty=True)


def test_boxes_without_use_are_left_out_and_counted(
    document: dict[str, Any], write: Write, warnings: list[str]
) -> None:
    boxes = {11: [3, 3, 0, 5], 12: [3, 3, 5, 0], 13: [60, 0, 5, 5], 14: [-9, 0, 9, 5],
             15: [-5, -5, 10, 10], 16: [55, 35, 50, 50]}  # fmt: skip
    for key, box in boxes.items():
        row = {"id": key, "image_id": 30, "category_id": 2, "bbox": box}
        document["annotations"].append(row)
    dataset = load(write(document))
    assert dataset.skipped == {"no_area": 2, "outside": 2, "unreadable": 0}
    # Those partly outside are cut at the border.
    assert dataset.ground_truth(0).boxes.tolist() == [
        [5.5, 6, 12.5, 14],
        [0, 0, 5, 5],
        [55, 35, 60, 40],
    ]
    assert dataset.ground_truth(0).areas.tolist() == [56, 25, 25]
    assert len(warnings) == 2
    assert "2 boxes without area" in warnings[0]
    assert "annotation id 11: x1" in warnings[0]
    assert "2 boxes wholly outside the image" in warnings[1]
    assert "annotation id 13: x1" in warnings[1]


def test_classes_of_a_checkpoint(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    names = ("zebra", "cat", "bee", "ant")
    dataset = load(folder, class_names=names)
    assert dataset.class_names == names
    assert dataset.ground_truth(1).labels.tolist() == [0, 3]
    assert dataset.ground_truth(0).labels.tolist() == [2]
    ignore_labels = dataset.ground_truth(1).ignore_labels
    assert ignore_labels is not None
    assert ignore_labels.tolist() == [2]
    with pytest.raises(InputError) as caught:
        load(folder, class_names=("ant", "bee"))
    message = str(caught.value)
    assert "['zebra']" in message
    assert "['ant', 'bee']" in message
    assert "['ant', 'bee', 'zebra']" in message


def test_what_is_read_cannot_be_changed_by_its_user(document: dict[str, Any], write: Write) -> None:
    dataset = load(write(document))
    dataset.ground_truth(1).boxes[:] = 0
    dataset.load(1).boxes[:] = 0
    assert dataset.ground_truth(1).boxes[0].tolist() == [1, 2, 11, 22]
    for index in (-1, 3):
        with pytest.raises(IndexError, match="0 to 2"):
            dataset.ground_truth(index)


Change = Callable[[dict[str, Any]], object]


def setter(section: str, index: int, key: str, value: object) -> Change:
    def change(document: dict[str, Any]) -> None:
        document[section][index][key] = value

    return change


def remover(section: str, index: int, key: str) -> Change:
    return lambda document: document[section][index].pop(key)


FAULTS: list[tuple[str, Change, list[str]]] = [
    ("no images", lambda d: d.pop("images"), ["key 'images'", "missing"]),
    ("no annotations", lambda d: d.pop("annotations"), ["key 'annotations'", "missing"]),
    ("no categories", lambda d: d.pop("categories"), ["key 'categories'", "missing"]),
    ("no category", lambda d: d["categories"].clear(), ["'categories'", "at least one"]),
    ("images no list", lambda d: d.update(images={}), ["'images'", "a list", "{}"]),
    ("row no object", lambda d: d["annotations"].append(7), ["annotations[4]", "got 7"]),
    ("image without id", remover("images", 0, "id"), ["images[0]", "'id'", "missing"]),
    ("image id twice", setter("images", 0, "id", 10), ["image id 10", "more than once"]),
    ("no file name", remover("images", 1, "file_name"), ["image id 10", "'file_name'", "missing"]),
    ("file name no string", setter("images", 1, "file_name", 5), ["image id 10", "'file_name'"]),
    ("parent folder", setter("images", 0, "file_name", "../no.png"),
     ["image id 30", "'file_name'", "inside the image folder", "'../no.png'"]),
    ("absolute", setter("images", 0, "file_name", "/etc/passwd"), ["inside", "/etc/passwd"]),
    ("width half", setter("images", 0, "width", 60.5), ["image id 30", "'width'", "60.5"]),
    ("category id twice", setter("categories", 0, "id", 2), ["category id 2", "more than once"]),
    ("category name twice", setter("categories", 0, "name", "bee"), ["'name'", "'bee'"]),
    ("category name empty", setter("categories", 0, "name", ""), ["category id 9", "'name'"]),
    ("unknown image", setter("annotations", 0, "image_id", 11),
     ["annotation id 1 (image id 11)", "'image_id'", "got 11"]),
    ("unknown category", setter("annotations", 0, "category_id", 5),
     ["annotation id 1 (image id 10, sub/b.jpg)", "'category_id'", "2, 4, 9", "got 5"]),
    ("category null", setter("annotations", 0, "category_id", None), ["'category_id'", "None"]),
    ("category bool", setter("annotations", 0, "category_id", True), ["'category_id'", "True"]),
    ("huge id", setter("annotations", 0, "category_id", 10**30), ["'category_id'", "64 bits"]),
    ("no bbox", remover("annotations", 2, "bbox"),
     ["annotation id 3 (image id 10, sub/b.jpg)", "'bbox'", "missing"]),
    ("bbox of three", setter("annotations", 2, "bbox", [1, 2, 3]),
     ["annotation id 3", "[1, 2, 3]"]),
    ("bbox of none", setter("annotations", 2, "bbox", []), ["annotation id 3", "got []"]),
    ("bbox nested", setter("annotations", 2, "bbox", [[1], [2], [3], [4]]), ["annotation id 3"]),
    ("bbox null", setter("annotations", 2, "bbox", None), ["annotation id 3", "got None"]),
    ("bbox NaN", setter("annotations", 1, "bbox", [1, 2, float("nan"), 4]),
     ["annotation id 2 (image id 30, a.png)", "'bbox'", "finite", "nan"]),
    ("bbox infinite", setter("annotations", 1, "bbox", [1, 2, float("inf"), 4]), ["inf"]),
    ("bbox huge", setter("annotations", 1, "bbox", [1, 2, 10**400, 4]), ["annotation id 2"]),
    ("bbox negative", setter("annotations", 1, "bbox", [1, 2, -3, 4]),
     ["annotation id 2", "width >= 0", "[1, 2, -3, 4]"]),
    ("area text", setter("annotations", 1, "area", "big"), ["annotation id 2", "'area'", "'big'"]),
    ("image id no id", setter("images", 0, "id", 3.5), ["'id'", "integer", "3.5"]),
    ("bbox of words", setter("annotations", 2, "bbox", ["a", 2, 3, 4]), ["annotation id 3"]),
    ("area negative", setter("annotations", 1, "area", -1), ["'area'", "got -1"]),
    ("area huge", setter("annotations", 1, "area", 10**400), ["annotation id 2", "'area'"]),
    ("crowd two", setter("annotations", 1, "iscrowd", 2),
     ["annotation id 2", "'iscrowd'", "0 or 1", "got 2"]),
    ("crowd list", setter("annotations", 1, "iscrowd", [0]), ["'iscrowd'", "[0]"]),
    ("size differs", setter("images", 0, "width", 61), []),
]  # fmt: skip


@pytest.mark.parametrize(("change", "parts"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_faults(document: dict[str, Any], write: Write, change: Change, parts: list[str]) -> None:
    change(document)
    folder = write(document)
    with pytest.raises(InputError) as caught:
        load(folder).load(0)
    message = str(caught.value)
    assert all(len(line) < 400 for line in message.split("\n"))
    assert str(folder) in message
    for part in parts:
        assert part in message


def test_a_frequent_error_hides_no_other(document: dict[str, Any], write: Write) -> None:
    rows = [{"id": i, "image_id": 10, "category_id": 9, "bbox": [1, 2, -3, 4]} for i in range(40)]
    document["annotations"] = [*rows, {**rows[0], "id": 40, "bbox": [1, 2, 3, 4], "image_id": 11}]
    with pytest.raises(InputError) as caught:
        load(write(document))
    first, *lines = str(caught.value).split("\n")
    assert first == "41 errors in the annotations:"
    assert len(lines) < 10 and "annotation id 40" in "".join(lines)
    assert sum(line.startswith("  and 35 more: ") for line in lines) == 1


@pytest.mark.parametrize(
    "name", ["../a.png", "sub/../../images/a.png", "C:\\a.png", "..\\a.png", "/home/a.png"]
)
def test_a_name_from_elsewhere_stays_in_the_folder(
    document: dict[str, Any], write: Write, name: str
) -> None:
    document["images"][0]["file_name"] = name
    dataset = load(write(document))
    assert dataset.ground_truth(0).file_name == "a.png"
    assert [(f.code, f.severity) for f in dataset.findings] == [("file-name-resolved", "repaired")]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b'{"images": [],\n "annotations": [}', ["line 2, column 18"]),
        (b"", ["line 1, column 1"]),
        (b"[1, 2]", ["a JSON object", "[1, 2]"]),
        (b'{"images": "\xff\x00"}', ["UTF-8"]),
        (b"[" * 100_000, []),
        (b'{"images": [{"id": ' + b"7" * 5000 + b"}]}", ["numbers within 64 bits"]),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, parts: list[str]) -> None:
    (tmp_path / "ann.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    for part in ["ann.json", *parts]:
        assert part in str(caught.value)


def test_missing_files(document: dict[str, Any], write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ann\.json: annotation file not found"):
        load(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        CocoDataset(tmp_path.parent, tmp_path.name, "images")
    folder = write(document)
    with pytest.raises(InputError, match=r"elsewhere: image folder not found .*ann\.json"):
        CocoDataset(folder, "ann.json", "elsewhere")


def test_byte_order_mark(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    text = (folder / "ann.json").read_text(encoding="utf-8")
    (folder / "ann.json").write_text(text, encoding="utf-8-sig")
    assert len(load(folder)) == 3


def test_sizes_from_the_image_header(document: dict[str, Any], write: Write) -> None:
    for image in document["images"]:
        del image["width"]
    document["images"][1]["height"] = None
    folder = write(document)
    assert load(folder).sizes.tolist() == [[40, 60], [60, 40], [32, 32]]
    (folder / "images" / "c.png").unlink()
    with pytest.raises(InputError, match=r"c\.png: image file not found.*image id 20.*no width"):
        load(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_other_value_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = copy.deepcopy(DOCUMENT)
    section = data.draw(st.sampled_from(sorted(document)))
    row = data.draw(st.sampled_from(document[section]))
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(JSON)
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        records = read_coco(SplitPaths("coco", path.parent, path, None, "train"), ReadOptions())
        table, _ = build_table(with_sizes(records.sound())[0], records.names)
    except InputError as error:
        assert "fuzz.json" in str(error)
    else:
        assert np.isfinite(table.boxes).all()
        assert table.starts[-1] == len(table.boxes) == len(table.labels) == len(table.areas)


def test_thirty_thousand_categories_take_no_time(tmp_path: Path) -> None:
    """The one that only groups the others was looked for pair by pair: minutes."""
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [5, 2, 10, 5]}],
        "categories": [{"id": i, "name": f"c{i}", "supercategory": "c3"} for i in range(30_000)],
    }
    (tmp_path / "train.json").write_text(json.dumps(document), encoding="utf-8")
    begin = time.process_time()
    place = SplitPaths("coco", tmp_path, tmp_path / "train.json", None, "train")
    records = read_coco(place, ReadOptions())
    assert time.process_time() - begin < 5
    assert "c3" not in records.names and len(records.names) == 29_999


@pytest.mark.parametrize("name", ["bccd", "coco256", "nuclei"])
def test_real_data_element_by_element(shared: Callable[[str], Path], name: str) -> None:
    folder = shared(name)
    dataset = CocoDataset(folder, "annotations/val.json", "images")
    document = json.loads((folder / "annotations/val.json").read_text(encoding="utf-8"))
    assert len(dataset) == len(document["images"])
    assert dataset.skipped == {"no_area": 0, "outside": 0, "unreadable": 0}
    names = {c["id"]: c["name"] for c in document["categories"]}
    for index, image in enumerate(document["images"]):
        rows = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        gt = dataset.ground_truth(index)
        assert gt.file_name == image["file_name"]
        assert gt.size == (image["height"], image["width"])
        assert [dataset.class_names[i] for i in gt.labels] == [
            names[a["category_id"]] for a in rows
        ]
        boxes = np.array([a["bbox"] for a in rows], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        np.testing.assert_allclose(gt.boxes, boxes, atol=0.02)  # COCO rounds to 0.01
        assert gt.areas.tolist() == [a["area"] for a in rows]
    assert dataset.load(0).image.shape == (*dataset.ground_truth(0).size, 3)
