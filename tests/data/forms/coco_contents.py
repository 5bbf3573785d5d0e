"""What tools and scripts write into COCO files."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from otadet.data import ReadOptions
from tests.data.forms.coco import Change, by_name, document, put_json
from tests.data.forms.form import form
from tests.data.forms.scenes import ALL, TRAIN, VAL, Box, put, put_images, unchanged

MORE = ("red", "green", "blue")
KOEPFE = unicodedata.normalize("NFC", "große Köpfe {}.jpg")


def standard(
    name: str,
    *,
    file_name: str = "im{}.jpg",
    image: Change = unchanged,
    row: Change = unchanged,
    whole: Change = unchanged,
    stored: str = "im{}.jpg",
    categories: Any = None,
    encoding: str = "utf-8",
    **expected: Any,
) -> None:
    """A form in the customary layout whose entries ``image`` and ``row`` changes."""

    @form(f"COCO content: {name}", **expected)
    def write(root: Path) -> None:
        put_images(root / "images", name=stored)
        for split, scenes in (("train", TRAIN), ("val", VAL)):
            content = document(
                scenes, file_name, image=image, row=row, categories=categories or by_name()
            )
            put_json(root / f"annotations/{split}.json", whole(content), encoding, ascii=False)


def _set(**values: Any) -> Change:
    return lambda entry: entry | values


def _as(change: Change, *keys: str) -> Change:
    """Apply ``change`` to some values of an entry."""
    return lambda entry: entry | {key: change(entry[key]) for key in keys}


def _without(*keys: str) -> Change:
    return lambda entry: {key: value for key, value in entry.items() if key not in keys}


def _box(row: dict[str, Any]) -> Box:
    """The box of a row of the customary layout."""
    left, top, width, height = row["bbox"]
    return Box(row["category_id"] - 1, left, top, width, height)


def _large(number: int) -> int:
    return number + 2**40


def _uncompressed(box: Box) -> dict[str, Any]:
    """COCO's run lengths: column by column, zeros first."""
    flat = np.concatenate([[0], box.mask.ravel(order="F"), [2]])
    edges = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    return {"size": list(box.mask.shape), "counts": counts}


def _compressed(box: Box) -> dict[str, Any]:
    code = coco_mask.encode(box.mask)
    return {"size": list(code["size"]), "counts": code["counts"].decode()}


# names of files: what is stated, and what is on the disk
IM, DECOMPOSED = "im{}.jpg", unicodedata.normalize("NFD", KOEPFE)
for title, stated, stored in (
    ("Windows paths", r"images\im{}.jpg", IM),
    ("a foreign Windows path", r"D:\work\set\photos\im{}.jpg", IM),
    ("a foreign path", "/home/ann/set/photos/im{}.jpg", IM),
    ("URLs", "https://host.example/bucket/im{}.jpg", IM),
    ("signed URLs", "https://host.example/bucket/im{}.jpg?Expires=17&Sig=a%2Fb", IM),
    ("storage of a cloud", "s3://bucket/set/im{}.jpg", IM),
    ("escaped blanks", "my%20image%20{}.jpg", "my image {}.jpg"),
    ("suffix of another case", IM, "im{}.JPG"),
    ("another suffix", IM, "im{}.jpeg"),
    ("jfif", IM, "im{}.jfif"),
    ("names without suffix", "im{}", IM),
    ("decomposed names on disk", KOEPFE, DECOMPOSED),
    ("composed names on disk", DECOMPOSED, KOEPFE),
):
    standard(title, file_name=stated, stored=stored, findings={"file-name-resolved": 6})
standard("a leading ./", file_name="./im{}.jpg")

# ids
standard(
    "ids as text",
    image=_as(str, "id"),
    row=_as(str, "id", "image_id", "category_id"),
    findings={"id-as-text": 42},
)
standard(
    "ids with zeros",
    image=_as("{:04d}".format, "id"),
    row=_as("{:04d}".format, "image_id"),
    findings={"id-as-text": 24},
)
standard(
    "ids that are names",
    image=_as("im{}".format, "id"),
    row=_as("im{}".format, "image_id"),
    findings={"image-id-text": 6},
)
standard(
    "ids of images as text in annotations", row=_as(str, "image_id"), findings={"id-as-text": 18}
)
standard(
    "pandas",
    image=_as(float, "id"),
    row=_as(float, "id", "image_id", "category_id"),
    findings={"id-as-text": 42},
)
standard("no ids of annotations", row=_without("id"), findings={"annotation-id-missing": 18})
standard("null as ids of annotations", row=_set(id=None), findings={"annotation-id-missing": 18})
standard("one id for all annotations", row=_set(id=0), findings={"annotation-id-double": 16})
standard("uuids of annotations", row=_as("9f8b-{}".format, "id"))
standard("ids beyond 32 bits", image=_as(_large, "id"), row=_as(_large, "image_id"))

# sizes
standard("sizes as text", image=_as(str, "width", "height"), findings={"number-as-text": 12})
standard("sizes as whole floats", image=_as(float, "width", "height"))
standard("no sizes", image=_without("width", "height"))
standard("null sizes", image=_set(width=None, height=None))
standard("zero sizes", image=_set(width=0, height=0))

# boxes
standard(
    "boxes as text",
    row=_as(lambda box: [f"{side}.0" for side in box], "bbox"),
    findings={"number-as-text": 18},
)
standard("polygons only", row=_without("bbox"), findings={"box-from-mask": 18})
standard("polygons and empty boxes", row=_set(bbox=[]), findings={"box-from-mask": 18})
standard("polygons and null boxes", row=_set(bbox=None, area=None), findings={"box-from-mask": 18})
standard(
    "uncompressed RLE only",
    row=lambda d: _without("bbox")(d) | {"segmentation": _uncompressed(_box(d))},
    findings={"box-from-mask": 18},
)
standard(
    "compressed RLE only",
    row=lambda d: _without("bbox", "area")(d) | {"segmentation": _compressed(_box(d))},
    findings={"box-from-mask": 18},
)
standard(
    "RLE with iscrowd on everything",
    row=lambda d: d | {"segmentation": _compressed(_box(d)), "iscrowd": 1},
    ignored=True,
)
standard("no areas, no iscrowd, no segmentation", row=_without("area", "iscrowd", "segmentation"))
standard("iscrowd as a truth value", row=_set(iscrowd=False))
standard("NaN in fields that are not read", row=_set(score=float("nan"), area=float("nan")))
standard("key points beside boxes", row=_set(keypoints=[1, 2, 2], num_keypoints=1, caption="x"))

# classes
standard(
    "classes that are numbers",
    categories=by_name((1, 2)),
    names=("1", "2"),
    findings={"class-name-number": 4},
)
standard("ids of classes from 0", row=lambda d: d | {"category_id": d["category_id"] - 1},
         categories=[{"id": 0, "name": "red"}, {"id": 1, "name": "green"}])  # fmt: skip
standard(
    "ids of classes as text",
    categories=[c | {"id": str(c["id"])} for c in by_name()],
    findings={"id-as-text": 4},
)
standard("a class without objects", categories=by_name(MORE), names=MORE)
standard("skeletons of classes", categories=[c | {"keypoints": ["a"]} for c in by_name()])

# encodings
standard("UTF-8 with a mark", encoding="utf-8-sig")
standard("UTF-16", encoding="utf-16")
standard(
    "Latin-1",
    encoding="latin-1",
    categories=by_name(("café", "Bär")),
    names=("café", "Bär"),
    findings={"encoding": 2},
)
standard("classes in Chinese", categories=by_name(("人", "车")), names=("人", "车"))

# the rest of a document
standard("only what is needed", whole=lambda d: d | {"info": None, "licenses": None})
standard("images of other splits beside them")


@form("COCO content: hidden copies", findings={"file-name-resolved": 6})
def hidden(root: Path) -> None:
    put_images(root / "images")
    put_images(root / "images/.ipynb_checkpoints", name="im{}-checkpoint.jpg")
    put_images(root / "images/__MACOSX", name="._im{}.jpg")
    put_images(root / "images/.thumbnails")
    for split, scenes in (("train", TRAIN), ("val", VAL)):
        put_json(root / f"annotations/{split}.json", document(scenes, "set/im{}.jpg"))


@form("COCO content: the longest tail decides", findings={"file-name-resolved": 6})
def longest_tail(root: Path) -> None:
    for camera, scenes in (("left", (0, 1, 2)), ("right", (3, 4, 5))):
        for number, scene in enumerate(scenes):
            put_images(root / "images" / camera, (scene,), f"{number}.jpg")
    for split, scenes in (("train", TRAIN), ("val", VAL)):
        content = document(scenes)
        for entry, scene in zip(content["images"], scenes):
            entry["file_name"] = f"/mnt/x/{('left', 'right')[scene // 3]}/{scene % 3}.jpg"
        put_json(root / f"annotations/{split}.json", content)


@form("COCO content: two files of a name", error=r"(?s)0\.jpg.*left/0\.jpg.*right/0\.jpg")
def ambiguous(root: Path) -> None:
    for camera in ("left", "right"):
        put_images(root / "images" / camera, ALL, "{}.jpg")
    for split, scenes in (("train", TRAIN), ("val", VAL)):
        put_json(root / f"annotations/{split}.json", document(scenes, "/mnt/x/{}.jpg"))


# what is never guessed
standard("a reversed box", row=_as(lambda b: [b[0] + b[2], b[1], -b[2], b[3]], "bbox"), error="-")
standard("NaN in a box", row=_as(lambda b: [float("nan"), *b[1:]], "bbox"), error="(?i)nan")
standard("sizes of other files", image=_set(width=640, height=480), error="640 x 480")
standard("swapped sizes", image=_set(width=96, height=128), error="96 x 128")
standard("three numbers a box", row=_as(lambda b: b[:3], "bbox"), error="bbox")
standard("images that are not listed", row=_as(lambda v: v + 70, "image_id"), error="image")
standard("classes that are not listed", row=_set(category_id=9), error="9")
standard("strict", row=_as(str, "image_id"), how=ReadOptions(strict=True), error="image_id")
standard("a list instead of a document", whole=lambda d: d["annotations"], error="expected")


@form("COCO content: cut off", error=r"train\.json.*line 1")
def cut_off(root: Path) -> None:
    put_images(root / "images")
    for split in ("train", "val"):
        put(root / f"annotations/{split}.json", '{"images": [{"id": 1, ')
