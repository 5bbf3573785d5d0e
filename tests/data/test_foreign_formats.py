"""Formats that datumaro reads: one small data set in each, written by hand, has the same boxes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from otadet.choices import Foreign, Split
from otadet.cli import convert_dataset
from otadet.data import find_data, open_data, write_image
from otadet.data.foreign_formats import IMPORTERS, read_foreign
from otadet.data.records import Records
from otadet.errors import InputError

SIZES = {"a": (80, 100), "b": (120, 60), "c": (40, 50)}
OBJECTS = {
    "a": [("cat", 10, 20, 40, 60), ("dog", 50.5, 5, 90, 30)],
    "b": [("cat", 0, 0, 60, 120)],
    "c": [],
}
XML = """<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task>
<id>1</id><labels><label><name>dog</name><attributes></attributes></label>
<label><name>cat</name><attributes></attributes></label></labels></task></meta>{}</annotations>"""


@pytest.fixture(autouse=True)
def _library(request: pytest.FixtureRequest) -> None:
    if "without_the_library" not in request.node.name:
        pytest.importorskip("datumaro")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def images(folder: Path, ending: str = ".jpg") -> None:
    for name, (height, width) in SIZES.items():
        folder.mkdir(parents=True, exist_ok=True)
        write_image(folder / f"{name}{ending}", np.full((height, width, 3), 90, np.uint8))


def cvat_box(label: str, x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return f'<box label="{label}" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}" {more}></box>'


def write_cvat(root: Path, more: str = "") -> None:
    images(root / "images")
    text = ""
    for index, (name, (height, width)) in enumerate(SIZES.items()):
        boxes = "".join(cvat_box(*each) for each in OBJECTS[name]) + (more if name == "a" else "")
        text += f'<image id="{index}" name="{name}.jpg" width="{width}" height="{height}">{boxes}'
        text += "</image>"
    put(root / "annotations.xml", XML.format(text))


def write_datumaro(root: Path) -> None:
    images(root / "images" / "train")
    items = [
        {"id": name, "attr": {}, "image": {"path": f"{name}.jpg", "size": SIZES[name]},
         "annotations": [
             {"id": i, "type": "bbox", "attributes": {}, "group": 0,
              "label_id": ["cat", "dog"].index(label), "bbox": [x1, y1, x2 - x1, y2 - y1]}
             for i, (label, x1, y1, x2, y2) in enumerate(objects)
         ]}
        for name, objects in OBJECTS.items()
    ]  # fmt: skip
    labels = [{"name": name, "parent": "", "attributes": []} for name in ("cat", "dog")]
    categories = {"label": {"labels": labels, "attributes": []}}
    document = {"infos": {}, "categories": categories, "items": items}
    put(root / "annotations" / "train.json", json.dumps(document))


def kitti_row(label: str, *box: float) -> str:
    return f"{label} 0.00 0 -1.58 {' '.join(map(str, box))} 1.6 1.7 3.6 -0.6 1.7 46.7 -1.59"


def write_kitti(root: Path) -> None:
    images(root / "training" / "image_2", ".png")
    for name, objects in OBJECTS.items():
        rows = "".join(kitti_row(*each) + "\n" for each in objects)
        put(root / "training" / "label_2" / f"{name}.txt", rows)


def write_open_images(root: Path) -> None:
    images(root / "images" / "train")
    codes = {"cat": "/m/01yrx", "dog": "/m/0bt9lr"}
    rows = [
        f"{name},xclick,{codes[label]},1,{x1 / SIZES[name][1]},{x2 / SIZES[name][1]},"
        f"{y1 / SIZES[name][0]},{y2 / SIZES[name][0]},0,0,0,0,0"
        for name, objects in OBJECTS.items()
        for label, x1, y1, x2, y2 in objects
    ]
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,"
    folder = root / "annotations"
    put(folder / "train-annotations-bbox.csv",
        "\n".join([f"{header}IsGroupOf,IsDepiction,IsInside", *rows]))  # fmt: skip
    listed = "".join(f"{name},train,,,,,,,0,,,0.0\n" for name in OBJECTS)
    header = "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    header += "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation\n"
    put(folder / "train-images-with-labels-with-rotation.csv", header + listed)
    names = "".join(f"{code},{name}\n" for name, code in codes.items())
    put(folder / "class-descriptions-boxable.csv", names)


def write_vott(root: Path) -> None:
    images(root)
    assets = {
        name: {
            "asset": {"format": "jpg", "id": name, "name": f"{name}.jpg",
                      "path": f"file:C:/photos/{name}.jpg", "state": 2, "type": 1,
                      "size": {"width": SIZES[name][1], "height": SIZES[name][0]}},
            "regions": [
                {"id": str(i), "type": "RECTANGLE", "tags": [label], "points": [],
                 "boundingBox": {"left": x1, "top": y1, "width": x2 - x1, "height": y2 - y1}}
                for i, (label, x1, y1, x2, y2) in enumerate(objects)
            ],
            "version": "2.2.0",
        }
        for name, objects in OBJECTS.items()
    }  # fmt: skip
    tags = [{"name": name, "color": "#fff"} for name in ("cat", "dog")]
    document = {"name": "t", "tags": tags, "assets": assets}
    put(root / "t-export.json", json.dumps(document))


def write_wider(root: Path) -> None:
    images(root / "WIDER_train" / "images" / "0--Parade")
    text = ""
    for name, objects in OBJECTS.items():
        text += f"0--Parade/{name}.jpg\n{len(objects)}\n"
        for _, x1, y1, x2, y2 in objects:
            text += f"{int(x1)} {y1} {int(x2) - int(x1)} {y2 - y1} 0 0 0 0 0 0\n"
        text += "" if objects else "0 0 0 0 0 0 0 0 0 0\n"
    put(root / "wider_face_split" / "wider_face_train_bbx_gt.txt", text)


WRITERS: dict[Foreign, Callable[[Path], None]] = {
    "cvat": write_cvat, "datumaro": write_datumaro, "kitti": write_kitti,
    "open-images": write_open_images, "vott": write_vott, "wider-face": write_wider,
}  # fmt: skip


def only(read: dict[Split, Records]) -> Records:
    assert list(read) == ["train"]
    return read["train"]


@pytest.mark.parametrize("source", get_args(Foreign))
def test_the_same_boxes_in_every_format(tmp_path: Path, source: Foreign) -> None:
    root = tmp_path / "data"
    WRITERS[source](root)
    before = sorted(root.rglob("*"))
    new = str(tmp_path / "new")
    assert convert_dataset.main([str(root), new, "--from", source, "--to", "coco"]) == 0
    assert sorted(root.rglob("*")) == before  # the library writes nothing beside the data
    data = open_data(find_data(new, "train", val_fraction=0))
    faces = source == "wider-face"
    assert sorted(data.class_names) == (["face"] if faces else ["cat", "dog"])
    found = {data.ground_truth(i).file_name[0]: data.ground_truth(i) for i in range(3)}
    for name, objects in OBJECTS.items():
        gt = found[name]
        boxes = [[int(x1) if faces else x1, *rest] for _, x1, *rest in objects]
        np.testing.assert_allclose(gt.boxes, np.reshape(boxes, (-1, 4)), atol=0.01)
        assert gt.size == SIZES[name]
        if not faces:
            labels = [data.class_names[label] for label in gt.labels.tolist()]
            assert labels == [label for label, *_ in objects]


def test_every_format_is_tested() -> None:
    assert set(IMPORTERS) == set(WRITERS) == set(get_args(Foreign))


def test_shapes_of_cvat(tmp_path: Path) -> None:
    more = (
        '<polygon label="dog" points="60,40;80,40;70,70"></polygon>'
        '<polyline label="dog" points="60,40;80,40"></polyline><points label="dog" points="1,2"/>'
        '<mask label="cat" rle="2, 3, 4, 3" left="10" top="20" width="6" height="2"></mask>'
    )
    write_cvat(tmp_path, more + cvat_box("cat", 20, 10, 40, 50, 'rotation="90.0"'))
    records = only(read_foreign(tmp_path, "cvat"))
    boxes = records.boxes[records.image == 0][2:]
    expected = [[60, 40, 80, 70], [12, 20, 16, 22], [10, 20, 50, 40]]
    assert boxes.round(2).tolist() == expected
    assert [(f.severity, f.code, f.count) for f in records.findings] == [
        ("note", "shape-no-area", 2)
    ]


def test_frames_of_cvat_where_a_track_is_outside(tmp_path: Path) -> None:
    rows = "".join(
        f'<box frame="{i}" outside="{int(i == 2)}" keyframe="1" occluded="0" xtl="{i}" ytl="1" '
        'xbr="20" ybr="20"></box>' for i in range(3)
    )  # fmt: skip
    text = XML.format(f'<track id="0" label="cat">{rows}</track>')
    frame = "<original_size><width>50</width><height>40</height></original_size><labels>"
    put(tmp_path / "annotations.xml", text.replace("<labels>", frame))
    for i in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        write_image(tmp_path / "images" / f"frame_{i:06d}.png", np.full((40, 50, 3), 9, np.uint8))
    records = only(read_foreign(tmp_path, "cvat"))
    assert records.boxes.tolist() == [[0, 1, 20, 20], [1, 1, 20, 20]]
    assert [name[-5:] for name in records.file_names] == ["0.png", "1.png", "2.png"]


def test_splits_of_a_cvat_project(tmp_path: Path) -> None:
    subsets = {"a": "Train", "b": "Validation", "c": "Test"}
    meta = "".join(f"<task><subset>{name}</subset></task>" for name in subsets.values())
    text = "".join(
        f'<image id="{i}" name="{name}.jpg" subset="{subset}" width="{SIZES[name][1]}" '
        f'height="{SIZES[name][0]}">{"".join(cvat_box(*each) for each in OBJECTS[name])}</image>'
        for i, (name, subset) in enumerate(subsets.items())
    )
    text = XML.format(text).replace("<task>", f"<project><tasks>{meta}</tasks>")
    put(tmp_path / "annotations.xml", text.replace("</labels></task>", "</labels></project>"))
    images(tmp_path / "images")
    read = read_foreign(tmp_path, "cvat")
    assert {split: records.file_names for split, records in read.items()} == {
        "train": ("a.jpg",), "val": ("b.jpg",),
    }  # fmt: skip
    assert read["train"].names == read["val"].names == ("dog", "cat")


def test_ignore_regions(tmp_path: Path) -> None:
    write_kitti(tmp_path / "kitti")
    put(tmp_path / "kitti" / "training" / "label_2" / "c.txt", kitti_row("DontCare", 1, 2, 9, 9))
    records = only(read_foreign(tmp_path / "kitti", "kitti"))
    assert (records.names, records.labels[-1]) == (("cat", "dog"), -1)
    assert records.ignored.tolist() == [False, False, False, True]
    write_open_images(tmp_path / "open")
    path = tmp_path / "open" / "annotations" / "train-annotations-bbox.csv"
    path.write_text(path.read_text("utf-8").replace("0,0,0,0,0\n", "0,0,1,0,0\n", 1), "utf-8")
    records = only(read_foreign(tmp_path / "open", "open-images"))
    assert records.ignored.tolist() == [True, False, False]


def test_predictions_are_no_labels(tmp_path: Path) -> None:
    write_kitti(tmp_path / "data")
    path = tmp_path / "data" / "training" / "label_2" / "b.txt"
    path.write_text(kitti_row("cat", 1, 2, 9, 9) + " 0.93\n", encoding="utf-8")
    words = [str(tmp_path / "data"), str(tmp_path / "new"), "--from", "kitti", "--to", "yolo"]
    with pytest.raises(InputError, match=r"b, object 1.*these are predictions.*0\.93"):
        convert_dataset.main(words)
    assert convert_dataset.main([*words, "--allow-predictions"]) == 0
    assert (tmp_path / "new" / "labels" / "train" / "b.txt").is_file()


def test_faults(tmp_path: Path) -> None:
    write_cvat(tmp_path / "a", cvat_box("yak", 1, 2, 3, 4) + cvat_box("cat", 9, 2, 3, 4))
    records = only(read_foreign(tmp_path / "a", "cvat"))
    assert {(f.severity, f.code): str(f.spots[0]) for f in records.findings} == {
        ("error", "box-invalid"): f"{tmp_path}/a: a, object 4 (a.jpg)",
        ("error", "class-unknown"): f"{tmp_path}/a: a, object 3 (a.jpg)",
    }
    write_cvat(tmp_path / "b", '<ellipse label="cat" cx="9" cy="9" rx="2" ry="3"></ellipse>')
    with pytest.raises(InputError, match=r"annotations\.xml: datumaro does not read 1 <ellipse>"):
        read_foreign(tmp_path / "b", "cvat")
    write_cvat(tmp_path / "c")
    (tmp_path / "c" / "images" / "b.jpg").unlink()
    with pytest.raises(InputError, match=r"/c: datumaro cannot read it as cvat: .*b\.jpg"):
        read_foreign(tmp_path / "c", "cvat")
    with pytest.raises(InputError, match="/d: folder not found"):
        read_foreign(tmp_path / "d", "kitti")
    put(tmp_path / "e" / "notes.txt", "nothing")
    for source in get_args(Foreign):
        with pytest.raises(InputError, match=f"/e: datumaro cannot read it as {source}: "):
            read_foreign(tmp_path / "e", source)
    with pytest.raises(InputError, match="--val-ann: no effect with --from cvat"):
        convert_dataset.main([str(tmp_path / "a"), str(tmp_path / "new"), "--from", "cvat",
                              "--to", "coco", "--val-ann", "x"])  # fmt: skip


def test_without_the_library_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datumaro", None)
    words = [str(tmp_path), str(tmp_path / "new"), "--from", "cvat", "--to", "coco"]
    with pytest.raises(InputError) as caught:
        convert_dataset.main(words)
    expected = "--from cvat: expected the package datumaro; pip install 'otadet[formats]'"
    assert str(caught.value) == expected
