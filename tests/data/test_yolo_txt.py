"""YOLO's label files: layouts, columns, and one line for each fault."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from otadet.data import ReadOptions, find_data, open_data, write_image
from otadet.data.class_names import read_yaml
from otadet.errors import InputError


@pytest.fixture
def yolo(tmp_path: Path) -> Callable[..., Path]:
    """Two images of 60 x 40 below ``images/train``, a label file of the first and names."""

    def make(labels: str = "", names: str = "names: [ant, bee]\n", nested: str = "") -> Path:
        for name in ("a.jpg", "b.png"):
            path = tmp_path / "images" / "train" / nested / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, np.full((40, 60, 3), 90, np.uint8))
        path = tmp_path / "labels" / "train" / nested / "a.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(labels, encoding="utf-8")
        (tmp_path / "data.yaml").write_text("train: images/train\n" + names, encoding="utf-8")
        return tmp_path

    return make


Yolo = Callable[..., Path]
PLAIN = "1 0.5 0.25 0.5 0.5\n\n0 0.1 0.1 0.5 0.1 0.5 0.6 0.2 0.7\n"
EXPECTED = [[15, 0, 45, 20], [6, 4, 30, 28]]


def test_content_with_nothing_but_the_folder_named(yolo: Yolo) -> None:
    data = open_data(find_data(yolo(PLAIN), "train", val_fraction=0))
    assert data.class_names == ("ant", "bee")
    assert [data.ground_truth(i).file_name for i in (0, 1)] == ["a.jpg", "b.png"]
    np.testing.assert_allclose(data.ground_truth(0).boxes, EXPECTED, rtol=1e-6)
    assert data.ground_truth(0).labels.tolist() == [1, 0]
    assert len(data.ground_truth(1)) == 0
    assert [(f.code, f.severity, f.count) for f in data.findings] == [("no-label-file", "note", 1)]
    assert data.load(0).image.shape == (40, 60, 3)


def test_linked_folders_are_read_once_and_circles_end(yolo: Yolo) -> None:
    root = yolo(PLAIN, nested="deep")
    for kind in ("images", "labels"):
        (root / kind / "train/deep").rename(root / f"{kind}_elsewhere")
        (root / kind / "train/linked").symlink_to(root / f"{kind}_elsewhere")
    (root / "images/train/again").symlink_to(root / "images/train")
    data = open_data(find_data(root, "train", val_fraction=0))
    names = [data.ground_truth(i).file_name for i in range(len(data))]
    assert names == ["linked/a.jpg", "linked/b.png"] and len(data.ground_truth(0)) == 2


def test_files_that_macos_leaves_are_no_images(yolo: Yolo) -> None:
    root = yolo(PLAIN)
    (root / "images/train/._a.jpg").write_bytes(b"not an image")
    data = open_data(find_data(root, "train", val_fraction=0))
    assert [data.ground_truth(i).file_name for i in range(len(data))] == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    "annotations", ["data.yaml", "labels/train", "train.txt", "absolute.txt", "listed.yaml"]
)
def test_every_way_to_name_it(yolo: Yolo, annotations: str) -> None:
    folder = yolo(PLAIN, nested="x")
    names = ("images/train/x/a.jpg", "./images/train/x/b.png")
    (folder / "train.txt").write_text("\n".join(names), encoding="utf-8")
    (folder / "absolute.txt").write_text(
        "\n".join(str(folder / name) for name in names), encoding="utf-8"
    )
    (folder / "listed.yaml").write_text(
        "path: .\ntrain: train.txt\nnames: {0: ant, 1: bee}\n", encoding="utf-8"
    )
    data = open_data(find_data(folder, "train", annotations))
    assert [data.ground_truth(i).file_name.rpartition("/")[2] for i in (0, 1)] == ["a.jpg", "b.png"]
    np.testing.assert_allclose(data.ground_truth(0).boxes, EXPECTED, rtol=1e-6)
    assert data.class_names == ("ant", "bee")


def test_the_layout_of_a_service(tmp_path: Path) -> None:
    """train/images beside train/labels, and a data.yaml that calls it ../train/images."""
    for split in ("train", "valid"):
        (tmp_path / split / "labels").mkdir(parents=True)
        (tmp_path / split / "images").mkdir()
        write_image(tmp_path / split / "images" / "p.jpg", np.zeros((10, 20, 3), np.uint8))
        (tmp_path / split / "labels" / "p.txt").write_text("0 0.5 0.5 1 1", encoding="utf-8")
    text = "train: ../train/images\nval: ../valid/images\n\nnc: 1\nnames: ['a cell']\n"
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    for split in ("train", "val"):
        data = open_data(find_data(tmp_path, split))  # type: ignore[arg-type]
        assert data.ground_truth(0).boxes.tolist() == [[0, 0, 20, 10]]
        assert data.class_names == ("a cell",)


def test_images_named_beside_labels(yolo: Yolo) -> None:
    data = open_data(find_data(yolo(PLAIN), "train", "labels/train", "images/train"))
    assert len(data) == 2


def test_classes(yolo: Yolo) -> None:
    folder = yolo(PLAIN)
    place = find_data(folder, "train", val_fraction=0)
    data = open_data(place, ReadOptions(class_names=("bee", "cow", "ant")))
    assert data.ground_truth(0).labels.tolist() == [0, 2]
    with pytest.raises(InputError, match=r"\['ant'\] are not among the expected"):
        open_data(place, ReadOptions(class_names=("bee",)))
    (folder / "data.yaml").unlink()
    place = find_data(folder, "train", val_fraction=0)
    with pytest.raises(InputError, match=r"names of the classes in data\.yaml or classes\.txt"):
        open_data(place)
    assert open_data(place, ReadOptions(classes=("x", "y"))).class_names == ("x", "y")
    (folder / "classes.txt").write_text("u\nv\n", encoding="utf-8")
    assert open_data(place).class_names == ("u", "v")


def test_a_phones_image_is_upright_as_it_was_labelled(yolo: Yolo) -> None:
    """EXIF turns it by a quarter, so its boxes are shares of the sides that a viewer sees."""
    folder = yolo("0 0.5 0.25 0.5 0.5\n")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(folder / "images" / "train" / "a.jpg", exif=exif)
    data = open_data(find_data(folder, "train", val_fraction=0))
    assert data.sizes.tolist() == [[60, 40], [40, 60]]
    assert data.ground_truth(0).boxes.tolist() == [[10, 0, 30, 30]]
    assert data.load(0).image.shape == (60, 40, 3)


FAULTS = {
    "columns": ("0 0.5 0.5 0.5\n", ["line 1", "5 numbers", "'0 0.5 0.5 0.5'"]),
    "even": (PLAIN + "0 0.1 0.1 0.2 0.2 0.9 0.3 0.4\n", ["line 4", "polygon"]),
    "confidence": ("0 0.1 0.1 0.2 0.2 0.9\n", ["line 1", "predictions"]),
    "word": (PLAIN + "dog 0.5 0.5 0.1 0.1\n", ["line 4", "finite numbers", "dog"]),
    "nan": ("0 nan 0.5 0.1 0.1\n", ["line 1", "finite numbers", "nan"]),
    "class": ("2 0.5 0.5 0.1 0.1\n", ["line 1", "class index from 0 to 1"]),
    "half class": ("0.5 0.5 0.5 0.1 0.1\n", ["line 1", "class index from 0 to 1"]),
    "pixels": (PLAIN + "0 30 20 10 10\n", ["line 4", "0 to 1, not pixels", "30 20"]),
    "negative": ("0 0.5 0.5 -0.0005 0.1\n", ["line 1", "at least 0"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(yolo: Yolo, fault: str) -> None:
    text, parts = FAULTS[fault]
    with pytest.raises(InputError) as caught:
        open_data(find_data(yolo(text), "train", val_fraction=0))
    message = str(caught.value)
    assert "\n" not in message
    for part in ["a.txt", *parts]:
        assert part in message


def test_faults_of_folders(yolo: Yolo, tmp_path: Path) -> None:
    folder = yolo(PLAIN)
    write_image(folder / "images" / "train" / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"a\.txt: .* one label file: a\.jpg and a\.png"):
        open_data(find_data(folder, "train", val_fraction=0))
    (folder / "images" / "train" / "a.png").unlink()
    (folder / "labels" / "train" / "a.txt").unlink()
    with pytest.raises(InputError, match=r"a\.txt.*: images without a label file: expected"):
        open_data(find_data(folder, "train", val_fraction=0))
    (folder / "list.txt").write_text("images/train/a.jpg\n../../c.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"list\.txt: line 2: expected an image inside"):
        open_data(find_data(folder, "train", "list.txt"))
    with pytest.raises(InputError, match=r"data_dir .*: no annotations for val; looked for COCO"):
        open_data(find_data(tmp_path / "images", "val"))


def test_boxes_beyond_the_image_only_where_asked_for(yolo: Yolo) -> None:
    place = find_data(yolo("0 0.5 0.5 1.5 0.5\n"), "train", val_fraction=0)
    with pytest.raises(InputError, match="amodal=true"):
        open_data(place)
    assert open_data(place, ReadOptions(amodal=True)).ground_truth(0).boxes.tolist() == [
        [-15, 10, 75, 30]
    ]


YAML = """# a data set
path: ../mine   # relative
train: images/train
val:
  - images/val
nc: 3
download: |
  from x import y
  y(': #')
names:
  0: "it's: one"
  1: 'two ''quoted'''
  2: three # comment
more: [a, 'b, c', {x: y,
  z: [1, 2]}]
"""


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(YAML, encoding="utf-8")
    document = read_yaml(path)
    assert document["path"] == "../mine"
    assert document["val"] == ["images/val"]
    assert document["names"] == {"0": "it's: one", "1": "two 'quoted'", "2": "three"}
    assert document["more"] == ["a", "b, c", {"x": "y", "z": ["1", "2"]}]
    for text, line in (
        ("a: 1\nb: *alias\n", 2), ("a: [1\n", 2), ("a: 1\n  b: 2\n", 2), ("a: [1]]\n", 1),
        ("a: 1\na: 2\n", 2), ("a:\n  0: x\n  0: y\n", 3), ("a: &x [*x]\n", 1), ("[b]: 1\n", 1),
    ):  # fmt: skip
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"data\.yaml: line {line}, column \d+: ") as caught:
            read_yaml(path)
        assert "\n" not in str(caught.value)


def test_yaml_names_stay_names(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    names = ["no", "on", "1", "0x1f", "null", "1e3", "2020-01-01", "C#", "caf\xe9", 30 * "a b "]
    names[-1] = names[-1].strip()
    path.write_text(yaml.dump({"names": names, "again": names}), encoding="utf-8")
    document = read_yaml(path)
    assert document == {"names": names, "again": names}
    path.write_text("names: [no, on, 1, 0x1f, null, 1e3, 2020-01-01, C#]\nval:\n", encoding="utf-8")
    assert read_yaml(path) == {"names": names[:8], "val": None}
    path.write_text("a: !!python/object/apply:os.system [touch here]\n", encoding="utf-8")
    assert read_yaml(path) == {"a": ["touch here"]}
    path.write_text("a: " + "[" * 90 + "]" * 90, encoding="utf-8")
    assert str(read_yaml(path)["a"]).count("[") == 90


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("names\n", "expected 'key: value' lines, got 'names'"),
        ("", "expected 'key: value' lines, got None"),
        ("a: \x07\n", "broken YAML: unacceptable character"),
        ("a: " + "[" * 5000 + "\n", "YAML is nested too deeply"),
        ("a: " + "[" * 100 + "]" * 100 + "\n", "YAML is nested too deeply"),
        ("a: " + "x" * (1 << 20), "expected at most 1048576 bytes, got 1048579"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi")
            ),
            "expected at most 1000000 values, got .* by aliases",
        ),
    ],
    ids=["text", "empty", "control", "endless", "deep", "large", "bomb"],
)
def test_yaml_that_is_refused(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"data\.yaml: {match}") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["names{}: [a]", "names:{}[a]", "{}names: [a]", "names: [{}a]"])
def test_blanks_in_yaml_take_no_time(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text.format(" " * 1000) + "\n", encoding="utf-8")
    assert read_yaml(path) == {"names": ["a"]}
    path.write_text(text.format(" " * 300_000) + "\n", encoding="utf-8")
    started = time.process_time()
    with contextlib.suppress(InputError):  # a key may have 1024 characters
        read_yaml(path)
    assert time.process_time() - started < 3
