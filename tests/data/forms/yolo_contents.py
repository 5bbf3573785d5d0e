"""What tools and scripts write into YOLO's files."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import yaml

from otadet.data import ReadOptions
from tests.data.forms.form import form
from tests.data.forms.scenes import HEIGHT, TRAIN, VAL, WIDTH, Box, put, put_images
from tests.data.forms.yolo import YAML, Row, put_labels, row

KOEPFE = "große Köpfe {}"
LISTS = "train: images/train\nval: images/val\n"


def standard(
    name: str,
    *,
    rows: Row = row,
    image: str = "im{}.jpg",
    label: str = "im{}.txt",
    text: str = YAML,
    **expected: Any,
) -> None:
    """A form in ultralytics' layout."""

    @form(f"YOLO content: {name}", **expected)
    def write(root: Path) -> None:
        for split, scenes in (("train", TRAIN), ("val", VAL)):
            put_images(root / "images" / split, scenes, image)
            put_labels(root / "labels" / split, scenes, label, rows)
        put(root / "data.yaml", text)


def _names(*names: str, **options: Any) -> dict[str, Any]:
    """``data.yaml`` as PyYAML writes it."""
    document = {"train": "images/train", "val": "images/val", "nc": 2, "names": list(names)}
    return {"text": yaml.dump(document, **options), "names": names}


def _polygon(box: Box) -> str:
    points = zip(box.flat[::2], box.flat[1::2])
    return f"{box.label} " + " ".join(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in points)


def _middle(box: Box) -> str:
    x1, y1, x2, y2 = box.xyxy
    return f"{(x1 + x2) / 2 / WIDTH:.4f} {(y1 + y2) / 2 / HEIGHT:.4f}"


# rows
standard("oriented boxes", rows=_polygon)
standard("segments", rows=lambda b: f"{_polygon(b)} {_middle(b)}")
standard("classes as floats", rows=lambda b: row(b).replace(f"{b.label} ", f"{b.label}.0 ", 1))
standard("tabs and blanks", rows=lambda b: "  " + row(b).replace(" ", "\t") + "  ")
standard("blank lines and CRLF", rows=lambda b: row(b) + "\r\n\r")
standard("exponents", rows=lambda b: row(b, ".6e"))
standard(
    "pose, points with visibility",
    rows=lambda b: f"{row(b)} {_middle(b)} 2 0.1 0.9 0",
    text=YAML + "kpt_shape: [2, 3]\n",
    findings={"key-points": 18},
)
standard(
    "pose, points without visibility",
    rows=lambda b: f"{row(b)} {_middle(b)} 0.1 0.9",
    text=YAML + "kpt_shape: [2, 2]\n",
    findings={"key-points": 18},
)
standard(
    "pose, one point",
    rows=lambda b: f"{row(b)} {_middle(b)}",
    text=YAML + "kpt_shape: [1, 2]\n",
    findings={"key-points": 18},
)
standard(
    "predictions that the user allows",
    rows=lambda b: row(b) + " 0.91",
    how=ReadOptions(allow_predictions=True),
    findings={"predictions": 18},
)

# files
standard("labels of another case", label="im{}.TXT")
standard("labels named with the suffix", label="im{}.jpg.txt")
standard("images of another case", image="im{}.JPG")
standard("jfif", image="im{}.jfif")
standard(
    "decomposed names of images",
    image=unicodedata.normalize("NFD", KOEPFE) + ".jpg",
    label=unicodedata.normalize("NFC", KOEPFE) + ".txt",
)
standard("dots in names", image="2024.05.{}.jpg", label="2024.05.{}.txt")

# names
standard("names as a list of lines", **_names("red", "green"))
standard("names that YAML escapes", **_names("café", "人"))
standard("names that YAML takes for other values", **_names("no", "2"))
standard("names with signs", **_names("C#", "traffic: light"))
standard("names folded at the line's end", **_names("red " * 40 + "x", "green " * 30 + "y"))
standard("names between brackets", **_names("bird's nest", "?", default_flow_style=True))
standard("names by number", text=LISTS + "names:\n  0: red\n  1: green\n")
standard("names by number in another order", text=LISTS + "names:\n  1: green\n  0: red\n")
standard("names by an anchor", text="all: &id001 [red, green]\nnames: *id001\n" + LISTS)
standard("names with a plain #", text=LISTS + "names: [C#, F#]\n", names=("C#", "F#"))
standard("a mark before UTF-8, CRLF", text="\ufeff" + YAML.replace("\n", "\r\n"))
standard("the letters themselves", **_names("人", "Bär", allow_unicode=True))


@form("YOLO content: hidden copies", findings={"images-hidden": 6})
def hidden(root: Path) -> None:
    for split, scenes in (("train", TRAIN), ("val", VAL)):
        images = root / "images" / split
        put_images(images, scenes)
        put_images(images / ".ipynb_checkpoints", scenes, "im{}-checkpoint.jpg")
        put_images(images / "__MACOSX", scenes)
        put_images(images / ".thumbnails", scenes)
        put_labels(root / "labels" / split, scenes)
    put(root / "data.yaml", YAML)


@form("YOLO content: no label file", findings={"no-label-file": 1}, train=(*TRAIN, 5),
      val=(4,), empty=(5,))  # fmt: skip
def unlabelled(root: Path) -> None:
    put_images(root / "images/train", (*TRAIN, 5))
    put_images(root / "images/val", (4,))
    put_labels(root / "labels/train", TRAIN)
    put_labels(root / "labels/val", (4,))
    put(root / "data.yaml", YAML)


# what is never guessed
standard("predictions", rows=lambda b: row(b) + " 0.91", error="(?i)confidence.*prediction")
standard("a tracker's rows", rows=lambda b: row(b) + " 0.91 1", error="(?i)confidence.*prediction")
standard("classes by name", rows=lambda b: "red" + row(b)[1:], error="red")
standard("classes from 1", rows=lambda b: f"{b.label + 1}{row(b)[1:]}", error="2")
standard(
    "pixels", rows=lambda b: f"{b.label} {b.x} {b.y} {b.w} {b.h}", error="0 to 1|share|fraction"
)
standard("four numbers", rows=lambda b: row(b).rpartition(" ")[0], error="expected 5 numbers")
standard(
    "key points without kpt_shape", rows=lambda b: row(b) + " 0.5 0.5 2" * 17, error="kpt_shape"
)
standard("NaN", rows=lambda b: row(b).rpartition(" ")[0] + " nan", error="(?i)nan")
standard("two classes of a name", text=LISTS + "names: [red, red]\n", error="red")
standard("fewer names than nc", text=LISTS + "nc: 3\nnames: [red, green]\n", error="nc")
standard("broken YAML", text=LISTS + "names: [red, green\n", error=r"data\.yaml.*line")
