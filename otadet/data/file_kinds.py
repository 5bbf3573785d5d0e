"""Recognise annotation files by their first and last bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from otadet.choices import Known
from otadet.data.csv_header import find_columns
from otadet.data.folder_tree import Tree, ending, is_image
from otadet.errors import InputError
from otadet.regular_file import open_regular

JsonKind = Literal["coco", "labelme"]

_ENDINGS: Mapping[str, Known] = {
    ".odgt": "odgt", ".yaml": "yolo", ".yml": "yolo", ".csv": "csv",
}  # fmt: skip
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".xz", ".7z", ".rar"})
_FOLDERS: tuple[tuple[str, Known], ...] = ((".xml", "voc"), (".txt", "yolo"), (".json", "labelme"))

_END = 1 << 16
_SAMPLE = 64
_KEY = re.compile(
    r'"(images|annotations|categories|shapes|imagePath|imageHeight|image_id|category_id|bbox|'
    r'segments_info|caption)"\s*:'
)
_FILE_NAME = re.compile(r'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
_ODGT_ID = re.compile(r'"ID"\s*:\s*("(?:[^"\\]|\\.)*")')
_ROW = re.compile(r"\s*\d+(?:\.0*)?(?:\s+[-+]?[\d.]+(?:[eE][-+]?\d+)?){4,}\s*$")
_CELLS = re.compile(r"[,;\t]")


def ends(path: Path) -> str:
    """Read the first and the last 64 KiB; UTF-16 as well, of plain letters. Empty on an error."""
    try:
        with open_regular(path, "annotation file") as (file, size):
            data = file.read(_END)
            file.seek(max(len(data), size - _END))
            data += file.read(_END)
    except InputError:
        return ""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data[2:].replace(b"\0", b"")
    return data.decode("utf-8-sig", "replace")


def json_kind(path: Path) -> JsonKind | None:
    """Recognise a COCO file with boxes or masks, or one of labelme."""
    text = ends(path)
    if not text.lstrip().startswith("{"):
        return None
    keys = set(_KEY.findall(text))
    if "shapes" in keys and keys & {"imagePath", "imageHeight"}:
        return "labelme"
    if "bbox" not in keys and keys & {"segments_info", "caption"}:
        return None
    # A large file may show but one of its lists.
    rows = {"annotations", "image_id", "category_id"} <= keys
    lists = {"images", "annotations"} <= keys or {"images", "categories"} <= keys
    return "coco" if rows or lists else None


def is_voc(path: Path) -> bool:
    """Return whether an XML file is one of VOC's."""
    return re.search(r"<annotation[\s>]", ends(path)[:4096]) is not None


def is_label_file(path: Path) -> bool | None:
    """Return whether a text file has YOLO's rows; ``None`` where it is empty."""
    lines = _lines(path)
    return _ROW.match(lines[0]) is not None if lines else None


def is_image_list(path: Path) -> bool:
    """Return whether a text file lists images, one a line."""
    lines = _lines(path)
    return bool(lines) and all(is_image(line) for line in lines[:5])


def is_csv(path: Path) -> bool:
    """Return whether a table has columns of images, classes and boxes, by its first line."""
    return not csv_fault(path)


def csv_fault(path: Path) -> str:
    """Return why a table is none of boxes, by its first line; empty where it is one."""
    lines = _lines(path)[:1]
    cells = [cell.strip("\"' ") for cell in _CELLS.split(lines[0])] if lines else [""]
    try:
        _, header = find_columns(cells, str(path))
    except InputError as error:
        return str(error)
    return "" if header or is_image(cells[0]) else f"{path}: expected the name of an image first"


def stated_names(path: Path) -> list[str]:
    """Return some of the file names that a COCO, odgt or CSV file states, from both ends of it."""
    text = ends(path)
    if path.suffix.lower() == ".csv":
        cells = (
            cell.strip().strip("\"'") for line in text.splitlines() for cell in _CELLS.split(line)
        )
        names = [cell for cell in cells if is_image(cell)]
    else:
        found = _FILE_NAME.findall(text)
        names = _decoded(found) if found else [f"{n}.jpg" for n in _decoded(_ODGT_ID.findall(text))]
    names = list(dict.fromkeys(names))
    return names[:: max(1, -(-len(names) // _SAMPLE))]


def _decoded(texts: list[str]) -> list[str]:
    return [name for name in map(_string, texts) if name]


def _string(text: str) -> str:
    """The value of a JSON string, empty where it is none."""
    try:
        return str(json.loads(text))
    except ValueError:
        return ""


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in ends(path)[:_END].splitlines() if line.strip()]


def annotation_kind(path: Path, root: Path) -> Known:
    """Recognise the format of given annotations, by their ending or by the folder's contents."""
    suffix = ending(path.name)
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        raise InputError(f"{path}: annotation file not found")
    if suffix == ".txt":
        voc = "ImageSets" in path.parts or (root / "Annotations").is_dir()
        return "voc" if voc else "yolo"
    if suffix == ".json":
        return "labelme" if json_kind(path) == "labelme" else "coco"
    if suffix in _ARCHIVES:
        raise InputError(f"{path}: expected annotations or a folder, got an archive; unpack it")
    if suffix not in _ENDINGS:
        raise InputError(
            f"{path}: unknown format; expected .json (COCO), .odgt (CrowdHuman), .csv, .txt or a "
            f"folder (VOC, YOLO, labelme), .yaml (YOLO), got {suffix!r}; name it with "
            "data_format=..."
        )
    return _ENDINGS[suffix]


def _kind_of_folder(path: Path) -> Known:
    tree = Tree.of(path)
    for suffix, kind in _FOLDERS:
        if tree.ending_in(suffix):
            return kind
    raise InputError(
        f"{path}: expected a folder of .xml (VOC), .txt (YOLO) or .json (labelme), found none"
    )
