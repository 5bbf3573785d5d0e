"""Data sets that are broken on purpose, one fault each."""

from __future__ import annotations

from typing import Any

from tests.doctor.broken import (
    HEIGHT,
    WIDTH,
    Case,
    both,
    coco,
    copy,
    encoded_anew,
    odgt,
    remove,
    rewrite,
    text,
    with_exif,
)

Document = dict[str, Any]
JPG = "images/train_2.jpg"


def _row(index: int, **values: Any) -> Any:
    return coco(lambda d: d["annotations"][index].update(values))


def _all_rows(change: Any) -> Any:
    return coco(lambda d: [row.update(bbox=change(*row["bbox"])) for row in d["annotations"]])


COCO = [
    ("annotations-unreadable", "train", ("train.json", "line 1"),
     rewrite("annotations/train.json", lambda data: data[:-1])),
    ("annotations-unreadable", "val", ("val.json", "line 1"),
     rewrite("annotations/val.json", lambda data: data[:-1])),
    ("value-invalid", "train", ("key 'categories'", "missing"),
     coco(lambda d: d.pop("categories"))),
    ("value-invalid", "train", ("image id 3", "train_2.jpg", "'wide'"),
     coco(lambda d: d["images"][2].update(width="wide"))),
    ("value-invalid", "train", ("annotation id 4", "image id 2", "train_1.jpg", "got 2"),
     _row(3, iscrowd=2)),
    ("image-id-double", "train", ("image id 2", "images[1]"),
     coco(lambda d: d["images"][3].update(id=2))),
    ("annotation-id-double", "train", ("annotation id 2", "annotations[1]"), _row(4, id=2)),
    ("category-id-double", "val", ("category id 1",),
     coco(lambda d: d["categories"].append({"id": 1, "name": "cat"}), "val")),
    ("image-id-unknown", "train", ("annotation id 5", "got 77"), _row(4, image_id=77)),
    ("class-unknown", "train", ("annotation id 1", "train_0.jpg", "got 0"),
     _row(0, category_id=0)),
    ("class-name-double", "train", ("category id 2", "'ant'"),
     coco(lambda d: d["categories"][1].update(name="ant"))),
    ("classes-missing", "train", ("categories",), coco(lambda d: d["categories"].clear())),
    ("class-name-similar", "train", ("'ant' and 'Ant '",),
     coco(lambda d: d["categories"].append({"id": 9, "name": "Ant "}))),
    ("class-empty", "train", ("cat",),
     coco(lambda d: d["categories"].append({"id": 9, "name": "cat"}))),
    ("mostly-ignored", "train", ("ant (6 of 6)",),
     coco(lambda d: [r.update(iscrowd=1) for r in d["annotations"] if r["category_id"] == 1])),
    ("classes-differ", "val", ("val.json", "wasp"),
     coco(lambda d: d["categories"][1].update(name="wasp"), "val")),
    ("class-ids-differ", "val", ("1 is 'ant' in training, 'bee' in validation",),
     coco(lambda d: [row.update(id=3 - row["id"]) for row in d["categories"]], "val")),
    ("class-val-only", "val", ("bee",),
     coco(lambda d: [row.update(category_id=1) for row in d["annotations"]])),
    ("no-objects", "train", ("train.json",), coco(lambda d: d["annotations"].clear())),
    ("no-objects", "train", ("no usable object, 12 ignore regions",),
     coco(lambda d: [row.update(iscrowd=1) for row in d["annotations"]])),
    ("box-invalid", "train", ("annotation id 6", "image id 3", "-5"),
     _row(5, bbox=[1, 2, -5, 4])),
    ("box-invalid", "train", ("annotation id 6", "nan"), _row(5, bbox=[1, 2, float("nan"), 4])),
    ("box-invalid", "train", ("annotation id 6", "missing"),
     coco(lambda d: d["annotations"][5].pop("bbox"))),
    ("boxes-normalised", "train", ("annotation id 1", "train_0.jpg"),
     _all_rows(lambda x, y, w, h: [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT])),
    ("boxes-xyxy", "train", ("annotation id",), _all_rows(lambda x, y, w, h: [x, y, x + w, y + h])),
    ("box-no-area", "train", ("annotation id 3", "x1, y1"), _row(2, bbox=[5, 6, 0, 9])),
    ("box-outside", "train", ("annotation id 3", "300"), _row(2, bbox=[300, 6, 10, 9])),
    ("box-over-border", "train", ("annotation id 3", "116"), _row(2, bbox=[76, 6, 40, 20])),
    ("box-tiny", "train", ("annotation id 3", "0.5 x 9"), _row(2, bbox=[5, 6, 0.5, 9])),
    ("box-double", "train", ("annotation id 13", "IoU 1.00 with annotation id 1"),
     coco(lambda d: d["annotations"].append({**d["annotations"][0], "id": 13}))),
    ("file-name-outside", "train", ("image id 3", "../no.jpg"),
     coco(lambda d: d["images"][2].update(file_name="../no.jpg"))),
    ("file-missing", "train", (JPG, "image id 3"), remove(JPG)),
    ("file-missing", "train", ("image id 3",),
     coco(lambda d: d["images"][2].update(file_name="x" * 300))),
    ("file-empty", "train", (JPG, "image id 3"), rewrite(JPG, lambda data: b"")),
    ("file-truncated", "train", (JPG, "image id 3"), rewrite(JPG, lambda data: data[:-40])),
    ("file-damaged", "train", (JPG, "image id 3", "lower end is grey"),
     rewrite(JPG, lambda data: data[:900] + data[-500:])),
    ("file-not-image", "train", (JPG, "image id 3"), rewrite(JPG, lambda data: b"<html>no</html>")),
    ("size-differs", "train", (JPG, "96 x 64", "stated 64 x 64"),
     coco(lambda d: d["images"][2].update(width=64))),
    ("exif-swaps", "train", (JPG, "taken as stored"), with_exif(JPG, 6)),
    ("exif-swaps", "train", (JPG, "taken upright"),
     both(with_exif(JPG, 6), coco(lambda d: d["images"][2].update(width=HEIGHT, height=WIDTH)))),
    ("exif-flips", "train", (JPG, "taken upright"), with_exif(JPG, 3)),
    ("picture-double", "train", ("train_5.jpg", "as train: train_2.jpg"),
     copy(JPG, "images/train_5.jpg")),
    ("picture-alike", "train", ("train_5.jpg", "as train: train_2.jpg"),
     encoded_anew(JPG, "images/train_5.jpg")),
    ("picture-in-both", "both", ("val_1.jpg", "as train: train_2.jpg"),
     copy(JPG, "images/val_1.jpg")),
    ("picture-in-both-alike", "both", ("val_1.jpg", "as train: train_2.jpg"),
     encoded_anew(JPG, "images/val_1.jpg")),
    ("picture-empty", "train", ("image id 2", "train_1.jpg"),
     coco(lambda d: d.update(annotations=[r for r in d["annotations"] if r["image_id"] != 2]))),
]  # fmt: skip

ODGT = [
    ("value-invalid", "train", ("annotation_train.odgt", "line 2", "broken JSON"),
     text("annotation_train.odgt", '{"ID": "train_1"', '"ID": "train_1"')),
    ("value-invalid", "train", ("line 2, gtboxes[1]", "missing"),
     odgt(lambda lines: lines[1]["gtboxes"][1].pop("tag"))),
    ("image-listed-twice", "train", ("line 4", "line 2"),
     odgt(lambda lines: lines[3].update(ID="train_1"))),
    ("box-invalid", "train", ("line 3, gtboxes[0]", "train_2", "[1, 2, 3]"),
     odgt(lambda lines: lines[2]["gtboxes"][0].update(fbox=[1, 2, 3]))),
    ("box-outside", "train", ("line 3, gtboxes[0]", "-60"),
     odgt(lambda lines: lines[2]["gtboxes"][0].update(fbox=[-60, 2, 30, 4]))),
    ("file-missing", "val", ("Images/val_1.jpg",), remove("Images/val_1.jpg")),
    ("classes-differ", "val", ("cat",),
     odgt(lambda lines: lines[0]["gtboxes"][0].update(tag="cat"), "val")),
]  # fmt: skip

VOC = [
    ("value-invalid", "train", ("Annotations/train_1.xml", "broken XML"),
     text("Annotations/train_1.xml", "</annotation>", "")),
    ("value-invalid", "train", ("train_1.xml", "object 2", "xmin", "'wide'"),
     text("Annotations/train_1.xml", "<xmin>51</xmin>", "<xmin>wide</xmin>")),
    ("value-invalid", "train", ("train_3.xml", "not found"), remove("Annotations/train_3.xml")),
    ("image-listed-twice", "train", ("train.txt", "name 3"),
     text("ImageSets/Main/train.txt", "train_2", "train_1")),
    ("box-no-area", "train", ("train_0.xml", "object 1"),
     text("Annotations/train_0.xml", "<xmax>30</xmax>", "<xmax>4</xmax>")),
    ("box-invalid", "train", ("train_0.xml", "object 1", "x1, y1, x2, y2 = 4, "),
     text("Annotations/train_0.xml", "<xmax>30</xmax>", "<xmax>2</xmax>")),
    ("file-missing", "train", ("JPEGImages/train_2.jpg",), remove("JPEGImages/train_2.jpg")),
    ("size-differs", "train", ("train_4.jpg", "stated 95 x 64"),
     text("Annotations/train_4.xml", "<width>96", "<width>95")),
    ("classes-differ", "val", ("wasp",), text("Annotations/val_0.xml", "bee", "wasp")),
]  # fmt: skip

YOLO = [
    ("value-invalid", "train", ("labels/train/train_1.txt", "line 1", "got '0 0.5'"),
     rewrite("labels/train/train_1.txt", lambda data: b"0 0.5\n")),
    ("value-invalid", "train", ("train_1.txt", "line 2", "wide"),
     text("labels/train/train_1.txt", "\n1 0.", "\n1 wide.")),
    ("class-unknown", "train", ("train_1.txt", "line 2", "'2 "),
     text("labels/train/train_1.txt", "\n1 ", "\n2 ")),
    ("box-invalid", "train", ("train_1.txt", "line 1"),
     rewrite("labels/train/train_1.txt", lambda data: b"0 0.5 0.5 -0.2 0.2\n")),
    ("box-not-normalised", "train", ("train_1.txt", "line 1", "48 32 20 20"),
     rewrite("labels/train/train_1.txt", lambda data: b"0 48 32 20 20\n")),
    ("no-label-file", "train", ("labels/train/train_1.txt",), remove("labels/train/train_1.txt")),
    ("label-without-picture", "train", ("labels/train/train_1.txt",),
     remove("images/train/train_1.jpg")),
    ("exif-swaps", "train", ("train_2.jpg", "taken upright"),
     with_exif("images/train/train_2.jpg", 6)),
    ("exif-flips", "train", ("train_2.jpg", "taken upright"),
     with_exif("images/train/train_2.jpg", 3)),
    ("file-not-image", "val", ("images/val/val_1.jpg",),
     rewrite("images/val/val_1.jpg", lambda data: b"no picture")),
    ("annotations-unreadable", "train", ("data.yaml", "'ant'"),
     text("data.yaml", "names: [ant, bee]", "names: [ant, ant]")),
    ("annotations-unreadable", "train", ("train_1.txt",),
     rewrite("labels/train/train_1.txt", lambda data: b"\xff\xfe0 1")),
]  # fmt: skip

CASES = [
    Case(kind, *row) for kind, rows in
    (("coco", COCO), ("odgt", ODGT), ("voc", VOC), ("yolo", YOLO)) for row in rows
] + [
    Case("coco", "num-classes-differs", "train", ("train.json",), lambda root: None,
         ("num_classes=3",)),
    Case("coco", "max-detections-low", "train", ("image id 1", "2 objects"), lambda root: None,
         ("max_detections=1",)),
    Case("coco", "input-too-small", "train", ("annotation id",), lambda root: None,
         ("input_size=32,32",)),
    Case("coco", "anchors-unfit", "train", ("annotation id",), lambda root: None,
         ("method=retinanet", "input_size=64,96")),
    Case("coco", "points-many", "train", ("annotation id",), lambda root: None,
         ("dynamic_q=20", "input_size=64,96")),
]  # fmt: skip
