"""labelme's JSON files, as labelme, AnyLabeling and X-AnyLabeling write them."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.data.forms.coco import put_json
from tests.data.forms.form import DIVIDED, form
from tests.data.forms.scenes import (
    ALL,
    HEIGHT,
    NAMES,
    TRAIN,
    VAL,
    WIDTH,
    Box,
    boxes,
    encoded,
    put,
    put_images,
    unchanged,
)

Shape = dict[str, Any]


def shape(box: Box) -> Shape:
    """A rectangle by two corners, the lower right first."""
    x1, y1, x2, y2 = box.xyxy
    return {
        "label": NAMES[box.label], "points": [[float(x2), float(y2)], [float(x1), float(y1)]],
        "group_id": None, "shape_type": "rectangle", "flags": {},
    }  # fmt: skip


def annotation(
    scene: int, path: str = "im{}.jpg", shape: Callable[[Box], Shape] = shape, **more: Any
) -> Shape:
    return {
        "version": "5.5.0", "flags": {}, "shapes": [shape(box) for box in boxes(scene)],
        "imagePath": path.format(scene), "imageData": None, "imageHeight": HEIGHT,
        "imageWidth": WIDTH, **more,
    }  # fmt: skip


def _one(
    name: str,
    *,
    images: str = "",
    annotations: str = "",
    whole: Callable[[Any], Any] = unchanged,
    stored: str = "im{}.jpg",
    encoding: str = "utf-8",
    expected: dict[str, Any] | None = None,
    **change: Any,
) -> None:
    """One split, which is divided."""

    @form(f"labelme: {name}", **{**DIVIDED, **(expected or {})})
    def write(root: Path) -> None:
        put_images(root / images, name=stored)
        for scene in ALL:
            content = whole(annotation(scene, **change))
            put_json(root / annotations / f"im{scene}.json", content, encoding, ascii=False)


def _split(name: str, images: str, annotations: str, path: str) -> None:
    @form(f"labelme: {name}")
    def write(root: Path) -> None:
        for split, part in (("train", TRAIN), ("val", VAL)):
            put_images(root / images.format(split), part)
            for scene in part:
                target = root / annotations.format(split) / f"im{scene}.json"
                put_json(target, annotation(scene, path))


def _as(kind: str, points: Callable[[Box], list[Any]]) -> Callable[[Box], Shape]:
    return lambda box: shape(box) | {"shape_type": kind, "points": points(box)}


def _called(*names: str) -> Callable[[Box], Shape]:
    return lambda box: shape(box) | {"label": names[box.label]}


_one("beside the images")
_one("polygons", shape=_as("polygon", lambda b: b.corners))
_one("four corners a rectangle", shape=_as("rectangle", lambda b: b.corners))
_one("turned boxes", shape=_as("rotation", lambda b: b.corners))
_one("no kind of shape", shape=lambda b: {
    "label": NAMES[b.label], "points": b.corners, "line_color": None, "fill_color": None,
})  # fmt: skip
_one("a folder of their own", images="images", annotations="labels", path="../images/im{}.jpg")
_one("Annotations and images", images="images", annotations="annotations", path="im{}.jpg")
_one("Windows paths", images="images", annotations="json", path=r"..\images\im{}.jpg")
_one("a foreign path", path="/home/ann/photos/im{}.jpg")
_one("a foreign Windows path", path=r"D:\photos\im{}.jpg")
_one("another suffix", path="im{}.bmp")
_one("sizes missing", imageHeight=None, imageWidth=None)
_one("numbers as names", shape=_called("0", "1"), expected={"names": ("0", "1")})
_one("names in Chinese", shape=_called("人", "车"), expected={"names": ("人", "车")})
_one("a mark before UTF-8", encoding="utf-8-sig")
_one("X-AnyLabeling", shape=lambda b: _as("rectangle", lambda b: b.corners)(b) | {
    "description": "", "difficult": False, "attributes": {}, "score": None, "kie_linking": [],
}, checked=True)  # fmt: skip
_one("points and lines beside", whole=lambda d: d | {"shapes": [
    *d["shapes"], {"label": "red", "points": [[3, 4]], "shape_type": "point"},
    {"label": "red", "points": [[3, 4], [9, 9]], "shape_type": "line"},
]}, expected={"findings": {"shape-no-area": 12}})  # fmt: skip
_split("a folder a split", "{}", "{}", "im{}.jpg")
_split("images and labels a split", "images/{}", "labels/{}", "../../images/train/im{}.jpg")
_split("a split above images and labels", "{}/images", "{}/labels", r"..\images\im{}.jpg")


@form("labelme: embedded images", **DIVIDED)
def embedded(root: Path) -> None:
    put_images(root)
    for scene in ALL:
        data = base64.b64encode(encoded(scene)).decode()
        put_json(root / f"im{scene}.json", annotation(scene, imageData=data))


@form("labelme: an image without a file", **DIVIDED, empty=(5,), findings={"no-label-file": 1})
def without_file(root: Path) -> None:
    """The sixth image has no JSON: labelme writes none where nothing was drawn."""
    put_images(root)
    for scene in ALL[:5]:
        put_json(root / f"im{scene}.json", annotation(scene))


@form("labelme: other JSON files beside", **DIVIDED, findings={"label-without-picture": 1})
def others(root: Path) -> None:
    put_images(root)
    put_json(root / "settings.json", {"auto_save": True})
    for scene in ALL:
        put_json(root / f"im{scene}.json", annotation(scene))


# what is never guessed
_one(
    "NaN", shape=_as("rectangle", lambda b: [[math.nan, 1], [2, 3]]), expected={"error": "(?i)nan"}
)
_one("one corner", shape=_as("rectangle", lambda b: [[1, 1]]), expected={"error": "point"})
_one("no images", path="gone{}.jpg", stored="other{}.jpg", expected={"error": r"gone0\.jpg|im0"})
_one("sizes of other files", imageWidth=640, expected={"error": "640 x 96"})
_one("no label", shape=lambda b: shape(b) | {"label": None}, expected={"error": "label"})


@form("labelme: cut off", error=r"im3\.json")
def cut_off(root: Path) -> None:
    put_images(root)
    for scene in ALL:
        put_json(root / f"im{scene}.json", annotation(scene))
    put(root / "im3.json", '{"version": "5.5.0", "shapes": [')
