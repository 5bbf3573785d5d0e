"""Annotations and images are found in the forms in which tools export them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from otadet.choices import Known
from otadet.data import find_data, open_data
from otadet.data.data_folder import NoSplitError
from otadet.data.folder_tree import walk
from otadet.data.formats import read_records
from otadet.data.layouts import SplitPaths, find_split
from otadet.data.records import ReadOptions
from otadet.data.split_words import split_of
from otadet.errors import InputError
from tests.data.trees import (
    IMAGE,
    LABEL,
    NAMES,
    Files,
    coco,
    csv,
    images,
    jsons,
    labels,
    make,
    odgt,
    xmls,
)

A, B, C = ("a0", "a1", "a2", "a3"), ("b0", "b1"), ("c0", "c1")
A_JPG, B_JPG, C_JPG = ([f"{name}.jpg" for name in names] for names in (A, B, C))
ALL = (*A, *B)


@dataclass(frozen=True)
class Form:
    """A tree and what is to be found in it.

    Attributes:
        files: the tree.
        format: of the annotations.
        train: path of the annotations for training, and of the images.
        val: the same for validation; ``None`` where the first are divided.
        say: part of the layout's words.
        findings: codes of the readers' findings.
    """

    files: Files
    format: Known
    train: tuple[str, str | None]
    val: tuple[str, str | None] | None = None
    say: str = ""
    findings: set[str] = field(default_factory=set)


def split_folders(make_labels: Any, at: str = "{}", images_at: str = "{}") -> dict[str, Any]:
    """Files an image in folders train, valid and test."""
    files: dict[str, Any] = {}
    for split, names in (("train", A), ("valid", B), ("test", C)):
        files |= images(images_at.format(split), names) | make_labels(at.format(split), names)
    return files


FORMS: dict[str, Form] = {
    # COCO
    "coco, official": Form(
        {**images("train2017", A), **images("val2017", B),
         "annotations/instances_train2017.json": coco(A_JPG),
         "annotations/instances_val2017.json": coco(B_JPG),
         "annotations/captions_train2017.json": coco(A_JPG)},
        "coco", ("annotations/instances_train2017.json", "train2017"),
        ("annotations/instances_val2017.json", "val2017"), "official names",
    ),
    "coco, one folder of images": Form(
        {**images("images", ALL), "annotations/train.json": coco(A_JPG),
         "annotations/val.json": coco(B_JPG)},
        "coco", ("annotations/train.json", "images"), ("annotations/val.json", "images"),
    ),
    "coco, roboflow": Form(
        {**images("train", A), **images("valid", B), **images("test", C),
         "train/_annotations.coco.json": coco(A_JPG),
         "valid/_annotations.coco.json": coco(B_JPG),
         "test/_annotations.coco.json": coco(C_JPG), "README.roboflow.txt": "Exported"},
        "coco", ("train/_annotations.coco.json", "train"),
        ("valid/_annotations.coco.json", "valid"),
        "Roboflow, a file a split",
    ),
    "coco, cvat, one subset": Form(
        {**images("images/default", ALL),
         "annotations/instances_default.json": coco([*A_JPG, *B_JPG])},
        "coco", ("annotations/instances_default.json", "images/default"), None, "CVAT, one file",
    ),
    "coco, cvat, subsets": Form(
        {**images("images/Train", A), **images("images/Validation", B),
         "annotations/instances_Train.json": coco(A_JPG),
         "annotations/instances_Validation.json": coco(B_JPG),
         "annotations/person_keypoints_Train.json": coco(A_JPG)},
        "coco", ("annotations/instances_Train.json", "images/Train"),
        ("annotations/instances_Validation.json", "images/Validation"),
    ),
    "coco, label studio": Form(
        {**images("images", [f"1a2b3c4d-{name}" for name in ALL]),
         "result.json": coco(f"images/1a2b3c4d-{name}.jpg" for name in ALL)},
        "coco", ("result.json", ""), None, "Label Studio, one file",
    ),
    "coco, label studio, foreign paths": Form(
        {**images("images", ALL),
         "result.json": coco(f"..\\..\\media\\upload\\3\\1a2b3c4d-{name}" for name in A_JPG)},
        "coco", ("result.json", "images"), None, "", {"file-name-resolved"},
    ),
    "coco, fiftyone": Form(
        {**images("data", ALL), "labels.json": coco([*A_JPG, *B_JPG])},
        "coco", ("labels.json", "data"), None, "FiftyOne, one file",
    ),
    "coco, fiftyone, a folder a split": Form(
        {**images("train/data", A), **images("validation/data", B),
         "train/labels.json": coco(A_JPG), "validation/labels.json": coco(B_JPG)},
        "coco", ("train/labels.json", "train/data"), ("validation/labels.json", "validation/data"),
    ),
    "coco, a folder a split with a JSON of any name": Form(
        {**images("Training/img", A), **images("dev/img", B),
         "Training/boxes.json": coco(f"img/{name}" for name in A_JPG),
         "dev/boxes.json": coco(f"img/{name}" for name in B_JPG)},
        "coco", ("Training/boxes.json", "Training"), ("dev/boxes.json", "dev"),
    ),
    "coco, images beside": Form(
        {**images("", A), "my_boxes.json": coco(A_JPG)}, "coco", ("my_boxes.json", ""), None,
    ),
    "coco, images in folders below": Form(
        {**images("shots/cam1", A), **images("shots/cam2", B),
         "export/boxes.json": coco([f"cam1/{n}" for n in A_JPG] + [f"cam2/{n}" for n in B_JPG])},
        "coco", ("export/boxes.json", "shots"), None,
    ),
    "coco, images of two folders by bare names": Form(
        {**images("x/first", A), **images("x/second", B), "all.json": coco([*A_JPG, *B_JPG])},
        "coco", ("all.json", "x"), None, "one file", {"file-name-resolved"},
    ),
    "coco, words in names": Form(
        {**images("pics", ALL), "my_train_coco.json": coco(A_JPG), "my_val_coco.json": coco(B_JPG)},
        "coco", ("my_train_coco.json", "pics"), ("my_val_coco.json", "pics"), "a file a split",
    ),
    "coco, train and test": Form(
        {**images("pics", (*A, *C)), "train.json": coco(A_JPG), "test.json": coco(C_JPG)},
        "coco", ("train.json", "pics"), None,
    ),
    "coco, utf-16": Form(
        {**images("pics", A), "all.json": json.dumps(coco(A_JPG)).encode("utf-16")},
        "coco", ("all.json", "pics"), None,
    ),
    # odgt
    "odgt": Form(
        {**images("Images", ALL), "annotation_train.odgt": odgt(A), "annotation_val.odgt": odgt(B)},
        "odgt", ("annotation_train.odgt", "Images"), ("annotation_val.odgt", "Images"),
    ),
    "odgt, one file": Form(
        {**images("pics", A), "ann/people.odgt": odgt(A)}, "odgt", ("ann/people.odgt", "pics")
    ),
    # VOC
    "voc, official": Form(
        {**images("JPEGImages", ALL), **xmls("Annotations", ALL),
         "ImageSets/Main/train.txt": "\n".join(A), "ImageSets/Main/val.txt": "\n".join(B),
         "ImageSets/Main/cat_train.txt": "a0 1", "ImageSets/Main/trainval.txt": "\n".join(ALL)},
        "voc", ("ImageSets/Main/train.txt", "JPEGImages"), ("ImageSets/Main/val.txt", "JPEGImages"),
    ),
    "voc, below VOCdevkit": Form(
        {**images("VOCdevkit/VOC2012/JPEGImages", ALL),
         **xmls("VOCdevkit/VOC2012/Annotations", ALL),
         "VOCdevkit/VOC2012/ImageSets/Main/train.txt": "\n".join(A),
         "VOCdevkit/VOC2012/ImageSets/Main/val.txt": "\n".join(B),
         "VOCdevkit/VOC2012/ImageSets/Main/cat_val.txt": "b0 1",
         "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt": "a0"},
        "voc", ("VOCdevkit/VOC2012/ImageSets/Main/train.txt", "VOCdevkit/VOC2012/JPEGImages"),
        ("VOCdevkit/VOC2012/ImageSets/Main/val.txt", "VOCdevkit/VOC2012/JPEGImages"),
        "lists of images",
    ),
    "voc, cvat": Form(
        {**images("JPEGImages", A), **xmls("Annotations", A), "labelmap.txt": "# label:color",
         "ImageSets/Main/default.txt": "\n".join(A)},
        "voc", ("ImageSets/Main/default.txt", "JPEGImages"), None, "lists of images",
    ),
    "voc, without lists": Form(
        {**images("images", A), **xmls("annotations", A)}, "voc", ("annotations", "images"), None,
        "one folder",
    ),
    "voc, roboflow": Form(
        split_folders(xmls), "voc", ("train", "train"), ("valid", "valid"), "a folder a split"
    ),
    "voc, labelImg": Form({**images("", A), **xmls("", A)}, "voc", ("", ""), None),
    "voc, folders below": Form(
        {**images("pics/x", A[:2]), **images("pics/y", A[2:]), **xmls("xml/x", A[:2]),
         **xmls("xml/y", A[2:])},
        "voc", ("xml", "pics"), None,
    ),
    # YOLO
    "yolo, official": Form(
        {**images("images/train", A), **images("images/val", B), **labels("labels/train", A),
         **labels("labels/val", B), "data.yaml": f"train: images/train\nval: images/val\n{NAMES}"},
        "yolo", ("data.yaml", None), ("data.yaml", None), "official names",
    ),
    "yolo, data.yaml with names alone": Form(
        {**images("images/train", A), **images("images/val", B), **labels("labels/train", A),
         **labels("labels/val", B), "data.yaml": NAMES},
        "yolo", ("labels/train", None), ("labels/val", None),
    ),
    "yolo, roboflow": Form(
        {**split_folders(labels, "{}/labels", "{}/images"),
         "data.yaml": "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
         + NAMES},
        "yolo", ("data.yaml", None), ("data.yaml", None),
    ),
    "yolo, roboflow, without validation": Form(
        {**images("train/images", A), **labels("train/labels", A),
         "data.yaml": f"train: ../train/images\nval: ../valid/images\n{NAMES}"},
        "yolo", ("data.yaml", None), None,
    ),
    "yolo, another machine's data.yaml": Form(
        {**images("images/train", A), **images("images/val", B), **labels("labels/train", A),
         **labels("labels/val", B), "cats.yaml": "path: /kaggle/input/cats\ntrain: /kaggle/input/"
         f"cats/images/train\nval: /kaggle/input/cats/images/val\n{NAMES}"},
        "yolo", ("labels/train", None), ("labels/val", None),
    ),
    "yolo, another machine's data.yaml, one folder below": Form(
        {**images("cats/train/images", A), **images("cats/valid/images", B),
         **labels("cats/train/labels", A), **labels("cats/valid/labels", B),
         "cats/data.yaml": "train: /content/cats/train/images\n"
         f"val: C:\\cats\\valid\\images\n{NAMES}"},
        "yolo", ("cats/data.yaml", None), ("cats/data.yaml", None), "data.yaml",
    ),
    "yolo, several folders": Form(
        {**images("one/images", A[:2]), **labels("one/labels", A[:2]),
         **images("two/images", A[2:]), **labels("two/labels", A[2:]),
         **images("three/images", B), **labels("three/labels", B),
         "data.yaml": f"train: [one/images, two/images]\nval: three/images\n{NAMES}"},
        "yolo", ("data.yaml", None), ("data.yaml", None),
    ),
    "yolo, labels flat": Form(
        {**images("images", A), **labels("labels", A), "classes.txt": "cat\n", "notes.json": "{}"},
        "yolo", ("labels", "images"), None, "one folder",
    ),
    "yolo, text beside images": Form(
        {**images("", A), **labels("", A), "classes.txt": "cat\n"}, "yolo", ("", ""), None,
    ),
    "yolo, text beside images, a folder a split": Form(
        {**split_folders(labels), "classes.txt": "cat\n"}, "yolo", ("train", "train"),
        ("valid", "valid"), "a folder a split",
    ),
    "yolo, cameras": Form(
        {**images("images/train/cam1", A[:2]), **images("images/train/cam2", A[2:]),
         **labels("labels/train/cam1", A[:2]), **labels("labels/train/cam2", A[2:]),
         **images("images/val/cam1", B), **labels("labels/val/cam1", B), "obj.names": "cat\n"},
        "yolo", ("labels/train", None), ("labels/val", None),
    ),
    "yolo, cvat": Form(
        {**images("obj_train_data", A), **labels("obj_train_data", A), "obj.names": "cat\n",
         "obj.data": "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n",
         "train.txt": "".join(f"data/obj_train_data/{name}\n" for name in A_JPG)},
        "yolo", ("train.txt", None), None, "lists of images", {"file-name-resolved"},
    ),
    "yolo, darknet's lists": Form(
        {**images("data/JPEGImages", ALL), **labels("data/labels", ALL), "data/cats.names": "cat\n",
         "data/2007_train.txt": "".join(f"/home/bob/darknet/data/JPEGImages/{n}\n" for n in A_JPG),
         "data/2007_val.txt": "".join(f"JPEGImages/{name}\n" for name in B_JPG)},
        "yolo", ("data/2007_train.txt", None), ("data/2007_val.txt", None), "",
        {"file-name-resolved"},
    ),
    "yolo, other spellings": Form(
        {"images/train/Caf\u00e9.JPG": IMAGE, "images/train/p.jpg": IMAGE,
         "images/train/q.png": IMAGE,
         **images("images/val", B), "labels/train/Cafe\u0301.TXT": LABEL,
         "labels/train/p.jpg.txt": LABEL, "labels/train/Q.txt": LABEL, **labels("labels/val", B),
         "data.yaml": NAMES},
        "yolo", ("labels/train", None), ("labels/val", None),
    ),
    "yolo, copies in hidden folders": Form(
        {**images("images/train", A), **images("images/val", B), **labels("labels/train", A),
         **labels("labels/val", B), **images("images/train/.ipynb_checkpoints", A[:1]),
         **images("images/train/__MACOSX", A[:2]), "images/train/._a0.jpg": b"Mac OS X",
         "data.yaml": NAMES},
        "yolo", ("labels/train", None), ("labels/val", None), "", {"images-hidden"},
    ),
    "yolo, label studio without its images": Form(
        {**images("images", A), **labels("labels", [f"1a2b3c4d-{name}" for name in A]),
         "classes.txt": "cat\n"},
        "yolo", ("labels", "images"), None,
    ),
    "yolo, cvat for ultralytics": Form(
        {**images("images/train", A), **labels("labels/train", A),
         "train.txt": "".join(f"data/images/train/{name}\n" for name in A_JPG),
         "data.yaml": f"train: train.txt\npath: .\n{NAMES}"},
        "yolo", ("data.yaml", None), None, "data.yaml", {"file-name-resolved"},
    ),
    "yolo, capital folders": Form(
        {**images("Images/Train", A), **images("Images/Val", B), **labels("Labels/Train", A),
         **labels("Labels/Val", B), "classes.txt": "cat\n"},
        "yolo", ("Labels/Train", "Images/Train"), ("Labels/Val", "Images/Val"),
    ),
    "yolo, labels and images of several folders": Form(
        {**images("cam1/images", A[:2]), **images("cam2/images", A[2:]),
         **labels("cam1/labels", A[:2]), **labels("cam2/labels", A[2:]), "data.yaml": NAMES},
        "yolo", ("", ""), None,
    ),
    # labelme
    "labelme, beside images": Form({**images("", A), **jsons("", A)}, "labelme", ("", ""), None),
    "labelme, in a folder of their own": Form(
        {**images("pics", A), **jsons("json", A, "..\\pics\\")}, "labelme", ("json", "pics"), None,
    ),
    "labelme, a folder a split": Form(
        split_folders(jsons), "labelme", ("train", "train"), ("valid", "valid"), "a folder a split",
    ),
    "labelme, with its conversion": Form(
        {**images("", A), **jsons("", A), "coco.json": coco(A_JPG)}, "coco", ("coco.json", ""),
        None, "not used: labelme",
    ),
    # CSV
    "csv, tensorflow": Form(
        {**images("images", (*A, *C)), "train_labels.csv": csv(A_JPG),
         "test_labels.csv": csv(C_JPG), "classes.csv": "cat,0\n"},
        "csv", ("train_labels.csv", "images"), None,
    ),
    "csv, roboflow": Form(
        {**images("train", A), **images("valid", B), "train/_annotations.csv": csv(A_JPG),
         "valid/_annotations.csv": csv(B_JPG)},
        "csv", ("train/_annotations.csv", "train"), ("valid/_annotations.csv", "valid"), "Roboflow",
    ),
    "csv, retinanet": Form(
        {**images("pics", ALL),
         "annotations.csv": "".join(f"pics/{name}.jpg,5,2,15,7,cat\n" for name in ALL)},
        "csv", ("annotations.csv", ""), None, "one file",
    ),
    # several formats
    "both splits count before the order": Form(
        {**images("images/train", A), **images("images/val", B), **labels("labels/train", A),
         **labels("labels/val", B), "classes.txt": "cat\n", "old/boxes.json": coco(A_JPG)},
        "yolo", ("labels/train", None), ("labels/val", None),
    ),
    "the order counts": Form(
        {**images("p", A), **labels("labels", A), **xmls("xml", A), "classes.txt": "cat\n"},
        "voc", ("xml", "p"), None, "not used: YOLO (labels)",
    ),
    "a folder that is called test": Form(
        {**images("test_drive/pics", A), "test_drive/train.json": coco(A_JPG)},
        "coco", ("test_drive/train.json", "test_drive/pics"), None,
    ),
}  # fmt: skip


def place_of(root: Path, place: SplitPaths) -> tuple[str, str | None]:
    def inner(path: Path) -> str:
        return path.relative_to(root).as_posix().removeprefix(".")

    return inner(place.annotations), None if place.images is None else inner(place.images)


@pytest.mark.parametrize("name", FORMS)
def test_forms(tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    root = make(tmp_path, form.files)
    train, val = find_data(root, "train"), find_data(root, "val")
    assert train.format == val.format == form.format
    assert place_of(root, train) == form.train
    assert place_of(root, val) == (form.val or form.train)
    assert train.divide == val.divide == (None if form.val else 0.2)
    assert form.say in train.layout
    records = [read_records(place, ReadOptions()).sound() for place in (train, val)]
    files = [{(each.images / name).resolve() for name in each.file_names} for each in records]
    there = {path.resolve() for path in root.rglob("*") if path.is_file()}
    assert files[0] and files[1] and not files[0] & files[1]
    assert files[0] | files[1] <= there
    assert all((each.labels == 0).sum() == len(each) for each in records)
    expected = A if form.val else ALL if "b0.jpg" in str(form.files) else A
    if "other spellings" not in name:
        stems = {path.stem[-2:] for path in files[0] | (set() if form.val else files[1])}
        assert stems <= set(expected) and stems >= set(A)
    assert {each.code for each in records[0].findings} - {"encoding"} == form.findings


def refusal(root: Path, split: Any = "train", **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        find_data(root, split, **more)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_two_files_that_could_be_meant(tmp_path: Path) -> None:
    root = make(tmp_path, {
        **images("", ALL), "train_a.json": coco(A_JPG), "train_b.json": coco(A_JPG),
        "val.json": coco(B_JPG),
    })  # fmt: skip
    message = refusal(root)
    for part in ("train_a.json, train_b.json", "train_ann=", "found 2 (COCO)"):
        assert part in message
    assert find_data(root, "val").annotations == root / "val.json"
    assert find_data(root, "train", "train_b.json").annotations == root / "train_b.json"


def test_copies_of_label_folders(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("p", A), **xmls("xml", A), **xmls("backup/xml", A)})
    assert "backup/xml, xml" in refusal(root)


def test_nothing_is_found(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("p", A), "w/best.pt": b"1", "w/last.pt": b"2"})
    message = refusal(root)
    for part in ("no annotations for train", "YOLO (data.yaml", "4 .jpg, 2 .pt files", "train_ann"):
        assert part in message
    with pytest.raises(InputError, match="folder not found"):
        find_data(tmp_path / "none", "train")
    (tmp_path / "bare").mkdir()
    assert "found no files" in refusal(tmp_path / "bare")


def test_annotations_without_images(tmp_path: Path) -> None:
    root = make(tmp_path, {"annotations/instances_default.json": coco(A_JPG)})
    assert "no images for train (annotations/instances_default.json)" in refusal(root)


def test_what_is_no_data_set(tmp_path: Path) -> None:
    """Files that look like annotations from their names alone."""
    root = make(tmp_path, {
        **images("", A), "package.json": {"name": "x"}, "results.json": [{"image_id": 1}],
        "a0.json": {"label": 3}, "a1.txt": "a picture of a cat", "requirements.txt": "torch",
        "train.csv": "id,label\n1,cat\n", "config.yaml": "train: true\nval: 3\n",
        "layout.xml": "<root/>", "panoptic.json": {"images": [], "annotations": [
            {"segments_info": [], "image_id": 1}], "categories": []},
    })  # fmt: skip
    assert "no annotations for train" in refusal(root)


def test_test_is_never_used(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("test", A), "test/_annotations.coco.json": coco(A_JPG)})
    for split in ("train", "val"):
        assert "found only test/_annotations.coco.json (COCO, test)" in refusal(root, split)


def test_validation_alone(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("val", A), "val.json": coco(A_JPG)})
    assert find_data(root, "val").divide is None
    assert "found only val.json (COCO, val)" in refusal(root)


def test_nothing_is_divided(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("", A), "all.json": coco(A_JPG)})
    assert find_data(root, "train", val_fraction=0).divide is None
    message = refusal(root, "val", val_fraction=0)
    assert "all.json (COCO, no stated split); val_fraction=0.2 divides it" in message
    with pytest.raises(NoSplitError):
        find_data(root, "val", val_fraction=0)


@pytest.mark.parametrize("name", ["all.json", "all.csv", "all.odgt", "data.yaml", "list.txt"])
def test_data_dir_is_a_file(tmp_path: Path, name: str) -> None:
    root = make(tmp_path, {
        **images("p", A), "all.json": coco(A_JPG), "all.csv": csv(A_JPG), "all.odgt": odgt(A),
        **labels("p", A), "data.yaml": f"train: p\n{NAMES}", "train.json": coco(A_JPG),
        "list.txt": "".join(f"p/{name}\n" for name in A_JPG),
    })  # fmt: skip
    places = [find_data(root / name, split) for split in ("train", "val")]  # type: ignore[arg-type]
    assert all(place.annotations == root / name and place.divide == 0.2 for place in places)
    assert sum(len(open_data(place)) for place in places) == 4


def test_data_dir_is_a_file_beside_the_images_folder(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("images", A), "annotations/mine.json": coco(A_JPG)})
    place = find_data(root / "annotations" / "mine.json", "train")
    assert (place.root, place.images) == (root, root / "images")


def test_named_splits(tmp_path: Path) -> None:
    root = make(tmp_path, {
        **images("p", ALL), **images("q", C), "a.json": coco(A_JPG), "b.json": coco(B_JPG),
        "val.json": coco(B_JPG),
    })  # fmt: skip

    def find(train: Any, val: Any, split: Any, fraction: float = 0.2) -> tuple[str, Any, Any]:
        named = {"train": train, "val": val}
        place = find_split(root, split, named, val_fraction=fraction)  # type: ignore[arg-type]
        assert place.split == split and place.images is not None
        return place.annotations.name, place.images.name, place.divide

    a, b, no = ("a.json", "p"), ("b.json", "q"), (None, None)
    assert [find(a, b, s) for s in ("train", "val")] == [(*a, None), (*b, None)]
    assert [find(a, no, s) for s in ("train", "val")] == [(*a, None), ("val.json", "p", None)]
    (root / "val.json").unlink()
    assert [find(a, no, s) for s in ("train", "val")] == [(*a, 0.2), (*a, 0.2)]
    assert find(a, no, "train", 0) == (*a, None)
    with pytest.raises(NoSplitError):
        find(a, no, "val", 0)
    (root / "b.json").unlink()
    q = (None, "q")
    assert [find(q, no, s) for s in ("train", "val")] == [("a.json", "q", 0.2)] * 2


def test_only_the_named_format(tmp_path: Path) -> None:
    root = make(tmp_path, {**images("", A), **xmls("", A), "all.json": coco(A_JPG)})
    assert find_data(root, "train").format == "coco"
    assert find_data(root, "train", data_format="voc").annotations == root
    assert "found no" not in refusal(root, data_format="yolo")


def test_folders_of_images_state_the_splits(tmp_path: Path) -> None:
    root = make(tmp_path, {
        **images("p/train", A), **images("p/val", B), **images("p/test", C),
        **xmls("Annotations", (*ALL, *C)),
    })  # fmt: skip
    records = {
        split: read_records(find_data(root, split), ReadOptions())  # type: ignore[arg-type]
        for split in ("train", "val")
    }
    assert records["train"].file_names == tuple(f"train/{name}" for name in A_JPG)
    assert records["val"].file_names == tuple(f"val/{name}" for name in B_JPG)
    codes = {each.code: each.count for each in records["val"].findings}
    assert (codes["images-by-folder"], codes["images-of-test"]) == (6, 2)
    assert (records["val"].labels == 0).sum() == 2


def test_images_of_a_test_folder_are_left_out(tmp_path: Path) -> None:
    names = [f"train/{name}" for name in A_JPG] + [f"test/{name}" for name in C_JPG]
    root = make(tmp_path, {**images("train", A), **images("test", C), "all.json": coco(names)})
    found = [
        read_records(find_data(root, split), ReadOptions()).file_names  # type: ignore[arg-type]
        for split in ("train", "val")
    ]
    assert sorted([*found[0], *found[1]]) == sorted(names[:4]) and all(found)


def test_labels_in_folders_that_images_do_not_lie_beside(tmp_path: Path) -> None:
    root = make(tmp_path, {
        **images("train", A), **images("val", B), **labels("labels/train", A),
        **labels("labels/val", B), "classes.txt": "cat\n",
    })  # fmt: skip
    assert place_of(root, find_data(root, "val")) == ("labels/val", "val")


def test_links_are_followed_once(tmp_path: Path) -> None:
    root = make(tmp_path / "set", {**images("train", A), "train/boxes.json": coco(A_JPG)})
    make(tmp_path / "else", {**images("", B), "boxes.json": coco(B_JPG)})
    (root / "val").symlink_to(tmp_path / "else")
    (root / "latest").symlink_to(root / "train")
    (root / "train" / "loop").symlink_to(root)
    assert [folder for folder, _ in walk(root)] == ["", "train", "val"]
    assert find_data(root, "val").annotations == root / "val" / "boxes.json"
    assert find_data(root, "train").annotations == root / "train" / "boxes.json"


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("instances_train2017.json", "train"), ("Train/x.json", "train"), ("a/valid/b", "val"),
        ("my_val_coco.json", "val"), ("TrainSet.json", "train"), ("train/val/x.json", "val"),
        ("test_drive/train.json", "train"), ("dev.json", "val"), ("testing/a.xml", "test"),
        ("strain.json", None), ("latest/a.json", None), ("train_val.json", None),
        ("trainval.txt", None), ("contest/retrain.json", None), ("VALIDATION.JSON", "val"),
        ("", None),
    ],
)  # fmt: skip
def test_words(path: str, split: str | None) -> None:
    assert split_of(path) == split


def test_the_number_of_hidden_images_is_noted(tmp_path: Path) -> None:
    form = FORMS["yolo, copies in hidden folders"]
    records = read_records(find_data(make(tmp_path, form.files), "train"), ReadOptions())
    (finding,) = (each for each in records.findings if each.code == "images-hidden")
    assert (finding.severity, finding.count) == ("note", 2)
    assert "3 images are left out" in finding.text


def test_names_of_a_list_that_are_not_there(tmp_path: Path) -> None:
    root = make(tmp_path, {
        **images("p", A), **labels("p", A), "classes.txt": "cat\n",
        "list.txt": "p/a0.jpg\nC:\\x\\p\\a1.jpg\n/no/z.jpg\np/a0.jpg\nnotes\np/gone.jpg\n",
    })  # fmt: skip
    records = read_records(find_data(root, "train", "list.txt"), ReadOptions())
    codes = {each.code: [spot.at for spot in each.spots] for each in records.findings}
    assert codes["file-name-resolved"] == ["line 2"]
    assert codes["file-name-outside"] == ["line 3"]
    assert codes["image-listed-twice"] == ["line 4"]
    assert codes["value-invalid"] == ["line 5"]
    assert records.file_names == ("p/a0.jpg", "p/a1.jpg", "p/gone.jpg")


def test_the_images_of_a_list_lie_in_its_own_set(tmp_path: Path) -> None:
    root = make(tmp_path, {
        f"{year}/{name}": content
        for year in ("VOC2007", "VOC2012")
        for name, content in {
            **images("JPEGImages", A), **xmls("Annotations", A),
            "ImageSets/Main/train.txt": "\n".join(A),
        }.items()
    })  # fmt: skip
    place = find_data(root, "train", "VOC2012/ImageSets/Main/train.txt")
    assert place_of(root, place)[1] == "VOC2012/JPEGImages"
    assert "VOC2007/ImageSets/Main/train.txt, VOC2012/" in refusal(root)
