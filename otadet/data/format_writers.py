"""Write the annotations of a data set in each format; images are not touched.

The reader of the same format takes the files without a setting. What a format cannot express is
counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from otadet.choices import Known, Split
from otadet.coco_json import coco_document
from otadet.data.classes import Classes
from otadet.data.csv_write import write_csv
from otadet.data.labelme_write import write_labelme
from otadet.data.write_parts import (
    Lost,
    Writer,
    has_box_area,
    lost_areas,
    lost_of_boxes,
    stem,
    write_names,
)
from otadet.errors import InputError
from otadet.types import GroundTruth


def image_folder(data_format: Known, split: Split) -> str:
    """Return the image folder of a split, relative to the data set's folder."""
    shared = {"voc": "JPEGImages", "odgt": "Images"}
    return shared.get(data_format, f"images/{split}")


def write_coco_json(
    gts: Iterable[GroundTruth], classes: Classes, folder: Path, split: Split
) -> Lost:
    """Write ``annotations/<split>.json``.

    A region that is ignored for every class becomes a crowd of each.
    """
    path = folder / "annotations" / f"{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = coco_document(gts, classes.names, classes.category_ids)
    path.write_text(json.dumps(document), encoding="utf-8")
    return Lost()


def write_odgt(gts: Iterable[GroundTruth], classes: Classes, folder: Path, split: Split) -> Lost:
    """Write ``annotation_<split>.odgt`` and ``classes.txt``; ids, sizes and areas in extra keys."""
    write_names(classes.names, folder)
    with (folder / f"annotation_{split}.odgt").open("w", encoding="utf-8") as file:
        for gt in gts:
            file.write(json.dumps(_odgt_line(gt, classes.names)) + "\n")
    return Lost()


def write_voc(gts: Iterable[GroundTruth], classes: Classes, folder: Path, split: Split) -> Lost:
    """Write ``Annotations``, ``ImageSets/Main/<split>.txt`` and ``classes.txt``.

    Ignore regions become difficult objects, of each class where they are for every class.
    """
    write_names(classes.names, folder)
    lost: Lost = Lost()
    stems: list[str] = []
    for gt in gts:
        name = stem(gt)
        path = folder / "Annotations" / f"{name}.xml"
        text = ElementTree.tostring(_voc_tree(gt, classes.names), encoding="utf-8")
        # An image of both splits has one file, as long as both say the same of it.
        if path.exists() and path.read_bytes() != text:
            raise InputError(
                f"{gt.file_name}: another image, or other objects of this one in the other "
                f"split, have the name {name}; VOC needs names that differ without their endings "
                "in all splits"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        stems.append(name)
        lost += lost_areas(gt)
    listed = folder / "ImageSets" / "Main" / f"{split}.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{name}\n" for name in stems), encoding="utf-8")
    return lost


def write_yolo(gts: Iterable[GroundTruth], classes: Classes, folder: Path, split: Split) -> Lost:
    """Write ``labels/<split>``, ``data.yaml`` and ``classes.txt``; ignore regions are lost.

    labelImg looks for ``classes.txt`` beside the label files, other tools in the data set's folder.
    """
    labels, names = folder / "labels" / split, classes.names
    lost: Lost = Lost()
    for gt in gts:
        path = labels / f"{stem(gt)}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_yolo_lines(gt), encoding="utf-8")
        lost += lost_of_boxes(gt)
    for place in (folder, labels):
        write_names(names, place)
    rows = [
        f"  {index}: {json.dumps(name, ensure_ascii=False)}" for index, name in enumerate(names)
    ]
    parts = [each for each in ("train", "val") if (folder / "labels" / each).is_dir()]
    lines = ["path: .", *(f"{each}: images/{each}" for each in parts), f"nc: {len(names)}"]
    (folder / "data.yaml").write_text("\n".join([*lines, "names:", *rows, ""]), encoding="utf-8")
    return lost


WRITERS: dict[Known, Writer] = {
    "coco": write_coco_json, "csv": write_csv, "labelme": write_labelme, "odgt": write_odgt,
    "voc": write_voc, "yolo": write_yolo,
}  # fmt: skip


def _ignored(gt: GroundTruth) -> list[tuple[list[float], int]]:
    return list(zip(gt.ignore_boxes.tolist(), gt.region_labels.tolist()))


def _odgt_line(gt: GroundTruth, names: Sequence[str]) -> dict[str, Any]:
    own = gt.areas.tolist()
    boxes = [
        {"tag": names[label], "fbox": _xywh(box)} | ({} if same else {"extra": {"area": area}})
        for box, label, area, same in zip(
            gt.boxes.tolist(), gt.labels.tolist(), own, has_box_area(gt).tolist()
        )
    ]
    boxes += [
        {"tag": names[label] if label >= 0 else "mask", "fbox": _xywh(box), "extra": {"ignore": 1}}
        for box, label in _ignored(gt)
    ]
    path = PurePosixPath(gt.file_name)
    line: dict[str, Any] = {
        "ID": path.with_suffix("").as_posix() if path.suffix == ".jpg" else gt.file_name,
        "image_id": gt.image_id,
        "height": gt.size[0],
        "width": gt.size[1],
    }
    if path.suffix != ".jpg":
        line["file_name"] = gt.file_name
    if not gt.amodal:
        line["amodal"] = False
    return {**line, "gtboxes": boxes}


def _xywh(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


def _voc_tree(gt: GroundTruth, names: Sequence[str]) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    _child(root, "filename", gt.file_name)
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", gt.size[1]), ("height", gt.size[0]), ("depth", 3)):
        _child(size, key, str(value))
    objects = [(b, c, 0) for b, c in zip(gt.boxes.tolist(), gt.labels.tolist())]
    for box, label in _ignored(gt):
        objects += [(box, c, 1) for c in ([label] if label >= 0 else range(len(names)))]
    for (x1, y1, x2, y2), label, difficult in objects:
        node = ElementTree.SubElement(root, "object")
        _child(node, "name", names[label])
        _child(node, "difficult", str(difficult))
        corners = ElementTree.SubElement(node, "bndbox")
        # Pixels count from 1, and a box ends with its last one.
        for key, side in (("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2)):
            _child(corners, key, _digits(side))
    ElementTree.indent(root)
    return root


def _child(node: ElementTree.Element, key: str, text: str) -> None:
    ElementTree.SubElement(node, key).text = text


def _digits(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _yolo_lines(gt: GroundTruth) -> str:
    height, width = gt.size
    boxes = gt.boxes.astype(np.float64) / np.array([width, height, width, height])
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    rows = np.concatenate([centre, sides], axis=1).tolist()
    return "".join(
        f"{label} {' '.join(map(repr, row))}\n" for label, row in zip(gt.labels.tolist(), rows)
    )
