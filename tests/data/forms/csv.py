"""Tables of objects, as tutorials and tools write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
    put,
    put_images,
)

Line = Callable[[str, Box], str]
TENSORFLOW = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
TORCHVISION = "filename,xmin,ymin,xmax,ymax,label\n"


def _four(box: Box) -> str:
    return ",".join(map(str, box.xyxy))


def tensorflow(name: str, box: Box) -> str:
    return f"{name},{WIDTH},{HEIGHT},{NAMES[box.label]},{_four(box)}"


def _called(*names: str) -> Line:
    return lambda name, box: tensorflow(name, box).replace(NAMES[box.label], names[box.label])


def retinanet(name: str, box: Box) -> str:
    return f"{name},{_four(box)},{NAMES[box.label]}"


def table(scenes: Sequence[int], header: str, line: Line, name: str = "im{}.jpg") -> str:
    rows = (line(name.format(scene), box) + "\n" for scene in scenes for box in boxes(scene))
    return header + "".join(rows)


def _split(name: str, images: str, path: str, header: str, line: Line, *, listed: str = "im{}.jpg",
           val: str = "val", encoding: str = "utf-8", more: dict[str, str] | None = None,
           **expected: Any) -> None:  # fmt: skip
    """A table a split."""

    @form(f"CSV: {name}", **expected)
    def write(root: Path) -> None:
        for split, scenes in (("train", TRAIN), (val, VAL)):
            put_images(root / images.format(split), scenes)
            put(root / path.format(split), table(scenes, header, line, listed), encoding)
        for target, text in (more or {}).items():
            put(root / target, text)


def _one(name: str, header: str, line: Line, *, images: str = "images", listed: str = "im{}.jpg",
         path: str = "annotations.csv", encoding: str = "utf-8",
         **expected: Any) -> None:  # fmt: skip
    """One table, which is divided."""

    @form(f"CSV: {name}", **DIVIDED, **expected)
    def write(root: Path) -> None:
        put_images(root / images)
        put(root / path, table(ALL, header, line, listed), encoding)


_split("Roboflow", "{}", "{}/_annotations.csv", TENSORFLOW, tensorflow, val="valid")
_split("TensorFlow's tutorial", "images/{}", "{}_labels.csv", TENSORFLOW, tensorflow)
_split("tables in a folder", "images", "annotations/{}.csv", TENSORFLOW, tensorflow)
_split("RetinaNet", "images", "{}.csv", "", retinanet, listed="images/im{}.jpg",
       more={"classes.csv": "red,0\ngreen,1\n"}, order=NAMES)  # fmt: skip
_split(
    "RetinaNet, foreign paths",
    "images",
    "{}.csv",
    "",
    retinanet,
    listed="/home/ann/im{}.jpg",
    findings={"file-name-resolved": 6},
)
_split("torchvision", "images", "{}.csv", TORCHVISION, retinanet)
_one("one table", TENSORFLOW, tensorflow)
_one("VoTT", '"image","xmin","ymin","xmax","ymax","label"\n', lambda name, box: (
    f'"{name}",{",".join(f"{side}.0" for side in box.xyxy)},"{NAMES[box.label]}"'
), path="mine-export.csv", images="")  # fmt: skip
_one("a spreadsheet's semicolons", TENSORFLOW.replace(",", ";"),
     lambda n, b: tensorflow(n, b).replace(",", ";"), encoding="utf-8-sig")  # fmt: skip
_one("CRLF", TENSORFLOW.replace("\n", "\r\n"), lambda n, b: tensorflow(n, b) + "\r")
_one("pandas' index", "," + TENSORFLOW, lambda n, b: f"{b.x}," + tensorflow(n, b))
_one("capitals in the header", "Filename,Width,Height,Class,XMin,YMin,XMax,YMax\n", tensorflow)
_one("tabs", TENSORFLOW.replace(",", "\t"), lambda n, b: tensorflow(n, b).replace(",", "\t"))
_one("names in Chinese", TENSORFLOW, _called("人", "车"), names=("人", "车"))
_one("commas in names", TENSORFLOW, _called('"a, b"', '"a, c"'), names=("a, b", "a, c"))
_one("the table named", TENSORFLOW, tensorflow, images="photos", path="mine.csv", data="mine.csv")


@form("CSV: RetinaNet, an image without objects", empty=(3, 5))
def empty_line(root: Path) -> None:
    put_images(root / "images")
    for split, scenes in (("train", TRAIN), ("val", VAL)):
        text = table(scenes[:-1], "", retinanet, "images/im{}.jpg")
        put(root / f"{split}.csv", text + f"images/im{scenes[-1]}.jpg,,,,,\n")


# what is never guessed
_one("reversed corners", TENSORFLOW, lambda n, b: f"{n},128,96,red,30,20,10,40", error="line 2")
_one(
    "a side that is no number",
    TENSORFLOW,
    lambda n, b: f"{n},128,96,red,x,20,10,40",
    error="line 2",
)
_one("too few columns", TENSORFLOW, lambda n, b: f"{n},128,96,red", error="line 2|column")
_one(
    "unknown columns",
    "a,b,c,d,e,f\n",
    lambda n, b: f"{n},1,2,3,4,5",
    error="annotations.csv: expected a header .* got 'a,b,c,d,e,f'",
)
