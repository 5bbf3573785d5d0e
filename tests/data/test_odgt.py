"""CrowdHuman's format: what is read, whole boxes on their way, and one line for each fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otadet.data import Flip, ReadOptions, find_data, open_data, transforms, write_image
from otadet.data.affine import Affine, scaling
from otadet.data.box_filter import BoxFilter, map_objects
from otadet.data.build_table import build_table
from otadet.data.image_sizes import with_sizes
from otadet.data.odgt import read_odgt
from otadet.errors import InputError

PERSON: dict[str, Any] = {
    "tag": "person", "fbox": [10, -8, 20, 60], "vbox": [12, 0, 10, 30], "hbox": [14, -8, 6, 8],
    "head_attr": {"ignore": 0, "occ": 0, "unsure": 0}, "extra": {"box_id": 0, "occ": 1},
}  # fmt: skip
LINES: list[dict[str, Any]] = [
    {"ID": "27,a", "gtboxes": [
        PERSON,
        {**PERSON, "fbox": [30, 5, 10, 20], "extra": {"ignore": 1}},
        {"tag": "mask", "fbox": [0, 0, 9, 9], "extra": {"ignore": 1}},
        {**PERSON, "fbox": [40, 5, 30, 20], "vbox": [40, 5, 20, 20],
         "hbox": [42, 5, 4, 4], "head_attr": {"ignore": 1}},
    ]},
    {"ID": "28,b", "gtboxes": []},
]  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[Any]], Path]:
    """Writes lines to ``annotation_train.odgt`` with images of 60 x 40 in ``Images``."""

    def write(lines: list[Any]) -> Path:
        text = "\n\n".join(json.dumps(line) for line in lines)
        (tmp_path / "annotation_train.odgt").write_text(text + "\n", encoding="utf-8")
        for name in ("27,a", "28,b"):
            (tmp_path / "Images").mkdir(exist_ok=True)
            write_image(tmp_path / "Images" / f"{name}.jpg", np.full((40, 60, 3), 90, np.uint8))
        return tmp_path

    return write


Write = Callable[[list[Any]], Path]


def test_content_with_nothing_but_the_folder_named(write: Write) -> None:
    data = open_data(find_data(write(LINES), "train", val_fraction=0))
    assert data.class_names == ("person",)
    assert data.sizes.tolist() == [[40, 60], [40, 60]]
    gt = data.ground_truth(0)
    assert (gt.image_id, gt.file_name, gt.amodal) == (1, "27,a.jpg", True)
    assert gt.boxes.tolist() == [[10, -8, 30, 52], [40, 5, 70, 25]]  # beyond three borders
    assert gt.areas.tolist() == [1200, 600]
    assert gt.ignore_boxes.tolist() == [[30, 5, 40, 25], [0, 0, 9, 9]]
    assert gt.ignore_labels is not None
    assert gt.ignore_labels.tolist() == [0, -1]
    assert len(data.ground_truth(1)) == 0
    assert data.load(0).boxes.tolist() == gt.boxes.tolist()


def test_the_other_boxes(write: Write) -> None:
    place = find_data(write(LINES), "train", val_fraction=0)
    visible = open_data(place, ReadOptions(odgt_box="vbox")).ground_truth(0)
    assert visible.boxes.tolist() == [[12, 0, 22, 30], [40, 5, 60, 25]]
    assert visible.ignore_boxes.tolist() == [[12, 0, 22, 30], [0, 0, 9, 9]]
    assert not visible.amodal
    heads = open_data(place, ReadOptions(odgt_box="hbox"))
    assert heads.class_names == ("head",)
    assert len(heads.ground_truth(0)) == 0
    assert heads.skipped["outside"] == 2  # the head is above the image
    assert heads.ground_truth(0).ignore_boxes.tolist() == [[0, 0, 9, 9], [42, 5, 46, 9]]
    cut = open_data(place, ReadOptions(amodal=False)).ground_truth(0)
    assert cut.boxes.tolist() == [[10, 0, 30, 40], [40, 5, 60, 25]]


def test_whole_boxes_through_flip_crop_and_back(write: Write) -> None:
    sample = open_data(find_data(write(LINES), "train", val_fraction=0)).load(0)
    rng = np.random.default_rng(0)
    flipped = Flip(1.0)(sample, rng)
    assert flipped.boxes.tolist() == [[30, -8, 50, 52], [-10, 5, 20, 25]]
    for seed in range(20):
        cropped = transforms.random_crop(sample, np.random.default_rng(seed), min_visible=0)
        assert cropped.geometry.cropped(0, 0, (1, 1)).amodal
        back = cropped.geometry.to_image(torch.from_numpy(cropped.boxes)).tolist()
        assert all(box in sample.boxes.tolist() for box in back)
    boxed = transforms.letterbox(flipped, (80, 120))
    back = boxed.geometry.to_image(torch.from_numpy(boxed.boxes))
    assert back.tolist() == sample.boxes.tolist()


def test_whole_boxes_through_an_affine_map(write: Write) -> None:
    """A cut object stays whole; how much of it is left is measured inside its image alone."""
    sample = open_data(find_data(write(LINES), "train", val_fraction=0)).load(0)
    twice = scaling(2, 2, 0, -40)
    found = map_objects(sample, twice, (0, 0, 60, 40), (80, 120), BoxFilter(min_visible=0.2))
    assert found.boxes.tolist() == [[20, -56, 60, 64], [80, -30, 140, 10]]
    # Of the second 5 of its 20 rows are left, a quarter of what the image shows of it.
    fewer = map_objects(sample, twice, (0, 0, 60, 40), (80, 120), BoxFilter(min_visible=0.3))
    assert fewer.boxes.tolist() == [[20, -56, 60, 64]]
    assert fewer.dropped == 1
    assert [80, 0, 120, 10] in fewer.ignore_boxes.tolist()  # what is seen, not what is not
    turned = Affine(0, 1, 0, 1, 0, 0)
    assert map_objects(sample, turned, (0, 0, 60, 40), (60, 40), BoxFilter()).boxes.tolist() == [
        [-8, 10, 52, 30], [5, 40, 25, 70]
    ]  # fmt: skip


Change = Callable[[list[Any]], object]


def at(*path: Any) -> Change:
    """Sets the value at the end of a path of keys."""

    def change(lines: list[Any]) -> None:
        here: Any = lines
        for key in path[:-2]:
            here = here[key]
        here[path[-2]] = path[-1]

    return change


FAULTS: dict[str, tuple[Change, list[str]]] = {
    "no ID": (lambda d: d[1].pop("ID"), ["line 3", "'ID'", "missing"]),
    "same ID": (at(1, "ID", "27,a"), ["line 3", "'ID'", "line 1"]),
    "no boxes": (lambda d: d[1].pop("gtboxes"), ["line 3 (28,b)", "'gtboxes'", "a list"]),
    "box no object": (at(0, "gtboxes", 2, 7), ["line 1, gtboxes[2]", "an object", "7"]),
    "no tag": (lambda d: d[0]["gtboxes"][1].pop("tag"), ["gtboxes[1]", "'tag'", "missing"]),
    "no fbox": (lambda d: d[0]["gtboxes"][3].pop("fbox"), ["gtboxes[3]", "'fbox'", "missing"]),
    "three numbers": (at(0, "gtboxes", 0, "fbox", [1, 2, 3]), ["gtboxes[0]", "'fbox'", "[1, 2"]),
    "negative side": (at(0, "gtboxes", 0, "fbox", [1, 2, -3, 4]), ["gtboxes[0]", "-3"]),
    "extra": (at(0, "gtboxes", 0, "extra", 5), ["gtboxes[0]", "'extra'", "an object, got 5"]),
    "ignore": (at(0, "gtboxes", 2, "extra", {"ignore": 2}), ["gtboxes[2]", "extra.", "0 or 1"]),
    "width": (at(0, "width", 7.5), ["line 1", "'width'", "whole number", "7.5"]),
    "leaves the folder": (at(0, "ID", "../z"), ["line 1", "../z"]),
    "list": (at(1, []), ["line 3", "expected one JSON object a line, got []"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(write: Write, fault: str) -> None:
    lines = copy.deepcopy(LINES)
    change, parts = FAULTS[fault]
    change(lines)
    folder = write(lines)
    with pytest.raises(InputError) as caught:
        open_data(find_data(folder, "train", val_fraction=0))
    message = str(caught.value)
    for part in [str(folder / "annotation_train.odgt"), *parts]:
        assert part in message


def test_broken_json_and_images(write: Write, warnings: list[str]) -> None:
    folder = write(LINES)
    place = find_data(folder, "train", val_fraction=0)
    (folder / "Images" / "28,b.jpg").write_bytes(b"none")
    with pytest.raises(InputError, match=r"28,b\.jpg: not a readable .*line 3"):
        open_data(place)
    data = open_data(place, ReadOptions(unreadable="skip"))
    assert len(data) == 1
    assert data.skipped["unreadable"] == 1
    assert "28,b" in warnings[0]
    place.annotations.write_text('{"ID": "a", "gtboxes": []}\n{"ID": \n', encoding="utf-8")
    with pytest.raises(InputError, match=r"odgt: line 2: .* a line: broken JSON at column 8"):
        open_data(place)
    place.annotations.write_text(f'{{"ID": {"7" * 5000}}}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"odgt: line 1: .* expected numbers within 64 bits"):
        open_data(place)


def test_classes_by_name(write: Write) -> None:
    place = find_data(write(LINES), "train", val_fraction=0)
    data = open_data(place, ReadOptions(class_names=("cat", "person")))
    assert data.ground_truth(0).labels.tolist() == [1, 1]
    with pytest.raises(InputError, match=r"\['person'\] are not among .*\['cat'\]"):
        open_data(place, ReadOptions(class_names=("cat",)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_other_value_loads_or_is_refused(write: Write, data: st.DataObject) -> None:
    lines = copy.deepcopy(LINES)
    row = data.draw(st.sampled_from([lines[0], *lines[0]["gtboxes"]]))
    row[data.draw(st.sampled_from([*sorted(row), "width", "height", "image_id"]))] = data.draw(JSON)
    path = write(lines) / "annotation_train.odgt"
    try:
        records = read_odgt(find_data(path.parent, "train", val_fraction=0), ReadOptions())
        table, _ = build_table(with_sizes(records.sound())[0], records.names)
    except InputError as error:
        assert "annotation_train.odgt" in str(error)
    else:
        assert np.isfinite(table.boxes).all()
        assert table.starts[-1] == len(table.boxes) == len(table.labels) == len(table.areas)
