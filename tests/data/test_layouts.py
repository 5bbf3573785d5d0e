"""Annotations and images are found in the forms in which tools export them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from otadet.choices import Known
from otadet.data import find_data
from otadet.data.formats import read_records
from otadet.data.layouts import SplitPaths
from otadet.data.records import ReadOptions
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
