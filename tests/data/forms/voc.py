"""VOC's XML files as tools lay them out and fill them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.data.forms.form import DIVIDED, form
from tests.data.forms.scenes import ALL, HEIGHT, TRAIN, VAL, WIDTH, Box, boxes, put, put_images
from tests.data.forms.scenes import NAMES as CLASSES

SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"


def corners(box: Box) -> str:
    """VOC counts pixels from 1 and includes the last."""
    x1, y1, x2, y2 = box.xyxy
    sides = {"xmin": x1 + 1, "ymin": y1 + 1, "xmax": x2, "ymax": y2}
    return "".join(f"<{key}>{value}</{key}>" for key, value in sides.items())


def xml(
    scene: int,
    file_name: str = "im{}.jpg",
    *,
    size: str = SIZE,
    corners: Callable[[Box], str] = corners,
    head: str = "",
    extra: str = "<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
    names: Sequence[str] = CLASSES,
    first: str = "",
) -> str:
    """The XML of a scene."""
    objects = "".join(
        f"<object><name>{names[box.label]}</name>{extra}<bndbox>{corners(box)}</bndbox></object>"
        for box in boxes(scene)
    )
    name = f"<filename>{file_name.format(scene)}</filename>" if file_name else ""
    return f"{first}<annotation>{head}{name}{size}{objects}</annotation>"


def put_xml(
    folder: Path, scenes: Sequence[int] = ALL, encoding: str = "utf-8", **change: Any
) -> None:
    for scene in scenes:
        put(folder / f"im{scene}.xml", xml(scene, **change), encoding)


def _voc(name: str, *, listed: str = "im{}\n", encoding: str = "utf-8", stored: str = "im{}.jpg",
         expected: dict[str, Any] | None = None, **change: Any) -> None:  # fmt: skip
    """A form in VOC's own layout."""

    @form(f"VOC: {name}", **(expected or {}))
    def write(root: Path) -> None:
        put_images(root / "JPEGImages", name=stored)
        put_xml(root / "Annotations", encoding=encoding, **change)
        for split, scenes in (("train", TRAIN), ("val", VAL)):
            lines = "".join(listed.format(scene) for scene in scenes)
            put(root / f"ImageSets/Main/{split}.txt", lines)


_voc("official", head="<folder>VOC2007</folder>")


def _latin(name: str, first: str, findings: dict[str, int]) -> None:
    names = ("café", "Bär")
    expected = {"names": names, "findings": findings}
    _voc(name, encoding="latin-1", first=first, names=names, expected=expected)


# lists
_voc("lists with suffixes", listed="im{}.jpg\n")
_voc("lists with folders", listed="JPEGImages/im{}.jpg\n")
_voc("lists of pairs", listed="JPEGImages/im{0}.jpg Annotations/im{0}.xml\n")
_voc("lists of a class", listed="im{}  1\n")
_voc("lists with CRLF and blank lines", listed="im{}\r\n\r\n")
_voc("lists with XML files", listed="Annotations/im{}.xml\n")
# names of files
_voc("names without suffix", file_name="im{}")
_voc("names with a path", file_name=r"C:\set\JPEGImages\im{}.jpg")
_voc("another suffix", file_name="im{}.jpg", stored="im{}.png")
_voc("suffix of another case", stored="im{}.JPG")
_voc("no names", file_name="")
_voc("a path beside the name", head=r"<path>C:\Users\ann\Desktop\im.jpg</path>")
# sizes and boxes
_voc("no sizes", size="")
_voc("sizes of 0", size="<size><width>0</width><height>0</height><depth>3</depth></size>")
_voc("sizes without depth", size=SIZE.replace("<depth>3</depth>", ""))
_voc("other order of sides", corners=lambda b: (
    f"<xmin>{b.x + 1}</xmin><xmax>{b.x + b.w}</xmax><ymin>{b.y + 1}</ymin><ymax>{b.y + b.h}</ymax>"
))  # fmt: skip
_voc("decimals", corners=lambda b: corners(b).replace("</", ".0</"))
_voc("blanks and lines", corners=lambda b: corners(b).replace("><", ">\n  <").replace("</", " </"))
_voc(
    "polygons beside boxes", extra="<difficult>0</difficult><polygon><x1>1</x1><y1>2</y1></polygon>"
)
_voc("no flags", extra="")
_voc("everything difficult", extra="<difficult>1</difficult>", expected={"ignored": True})
_voc("attributes", extra="<attributes><attribute><name>z</name></attribute></attributes>")
# encodings
_voc("UTF-8 with a mark", encoding="utf-8-sig")
_voc("UTF-16", encoding="utf-16")
_latin("a declared Latin-1", '<?xml version="1.0" encoding="ISO-8859-1"?>', {})
_latin("Latin-1 that is not declared", "", {"encoding": 6})
_latin("Latin-1 declared as UTF-8", '<?xml version="1.0" encoding="UTF-8"?>', {"encoding": 6})
_voc("classes in Chinese", names=("人", "车"), expected={"names": ("人", "车")})


def _edited(*pairs: str) -> Callable[[Box], str]:
    """The corners as text in which each of the pairs is replaced in turn."""

    def edit(box: Box) -> str:
        text = corners(box)
        for old, new in zip(pairs[::2], pairs[1::2]):
            text = text.replace(old, new)
        return text

    return edit


def _names_another(name: str, scenes: dict[int, int], **expected: Any) -> None:
    """XML files whose ``<filename>`` is that of another image of the set."""

    @form(f"VOC: {name}", **expected)
    def write(root: Path) -> None:
        put_images(root / "JPEGImages")
        for scene in ALL:
            put(root / f"Annotations/im{scene}.xml", xml(scene, f"im{scenes[scene]}.jpg"))
        for split, part in (("train", TRAIN), ("val", VAL)):
            put(root / f"ImageSets/Main/{split}.txt", "".join(f"im{scene}\n" for scene in part))


_names_another(
    "renamed, old names inside", {0: 1, 1: 2, 2: 3, 3: 0, 4: 5, 5: 4}, findings={"image-by-name": 6}
)
_names_another(
    "copies that keep the name of the original",
    {0: 0, 1: 0, 2: 0, 3: 3, 4: 4, 5: 4},
    findings={"image-by-name": 3},
)


def _beside(name: str, images: str, annotations: str, **change: Any) -> None:
    """Both splits in folders of their own."""

    @form(f"VOC: {name}")
    def write(root: Path) -> None:
        val = "valid" if "Roboflow" in name else "val"
        for split, scenes in (("train", TRAIN), (val, VAL)):
            put_images(root / images.format(split), scenes)
            put_xml(root / annotations.format(split), scenes, **change)


_beside("Roboflow", "{}", "{}", head="<folder></folder><path>im0.jpg</path>")
_beside("labelImg, a folder a split", "{}", "{}", head="<folder>train</folder>")
_beside("FiftyOne, a folder a split", "{}/data", "{}/labels")
_beside("images and annotations a split", "images/{}", "annotations/{}")
_beside("images and Annotations in a folder a split", "{}/images", "{}/annotations")


def _one(name: str, images: str, annotations: str, more: dict[str, str], **expected: Any) -> None:
    """One split, which is divided."""

    @form(f"VOC: {name}", **DIVIDED, **expected)
    def write(root: Path) -> None:
        put_images(root / images)
        put_xml(root / annotations)
        for path, text in more.items():
            put(root / path, text)


_one("CVAT", "JPEGImages", "Annotations", {
    "ImageSets/Main/default.txt": "".join(f"im{i}\n" for i in ALL),
    "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nred:255,0,0::\n",
})  # fmt: skip
_one("VOC's folders without lists", "JPEGImages", "Annotations", {})
_one("Label Studio", "images", "Annotations", {})
_one("FiftyOne", "data", "labels", {})
_one("labelImg, beside the images", "", "", {})
_one("images and annotations", "images", "annotations", {})
_one("training alone", "JPEGImages", "Annotations", {
    "ImageSets/Main/trainval.txt": "".join(f"im{i}\n" for i in ALL),
})  # fmt: skip

# what is never guessed
_voc("reversed corners", corners=_edited("xmin", "swap", "xmax", "xmin", "swap", "xmax"),
     expected={"error": r"im0\.xml"})  # fmt: skip
_voc("no number", corners=_edited("<xmin>", "<xmin>a"), expected={"error": "xmin"})
_voc("no right side", corners=_edited("xmax", "other"), expected={"error": "xmax"})
_voc("sizes of other files", size=SIZE.replace("128", "640"), expected={"error": "640 x 96"})
_voc("boxes that turn", corners=lambda b: "<cx>1</cx>", expected={"error": r"im0\.xml"})
_voc("not XML", size="<size>", expected={"error": r"im0\.xml"})
_voc("lists of other files", listed="other{}\n", expected={"error": "other0"})
