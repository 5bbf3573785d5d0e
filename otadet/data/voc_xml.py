"""One XML file of PASCAL VOC: http://host.robots.ox.ac.uk/pascal/VOC/, checked.

Documents that declare a type are refused before they are built: entities that are declared there
can grow a file of a kilobyte to gigabytes, and VOC's files have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from otadet.data.json_rows import shown
from otadet.errors import InputError

_LARGEST = 1e9


@dataclass(frozen=True)
class VocObject:
    """An ``object`` of a file.

    Attributes:
        name: of the class.
        box: xmin, ymin, xmax, ymax as they stand there: 1-based, the last pixel included.
        difficult: whether it is marked so.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True)
class VocFile:
    """What one file says.

    Attributes:
        file_name: of the image; ``None`` where it is not stated.
        size: height and width; ``None`` where they are not stated or 0.
        objects: in the file's order.
    """

    file_name: str | None
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def read_voc_xml(path: Path) -> VocFile:
    """Read and check one file.

    Raises:
        InputError: names the file, the object and the key.
    """
    root = parse_xml(path)
    if root.tag != "annotation":
        raise InputError(f"{path}: expected <annotation>, got <{shown(root.tag)[1:-1]}>")
    name = (root.findtext("filename") or "").strip()
    nodes = enumerate(root.findall("object"), 1)
    objects = tuple(read_voc_object(path, number, node) for number, node in nodes)
    return VocFile(name or None, read_voc_size(path, root), objects)


def parse_xml(path: Path) -> ElementTree.Element:
    """Return the root element of a file.

    Raises:
        InputError: no file, no XML, or one that declares a document type.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: annotation file not found") from None
    except OSError as error:
        raise InputError(f"{path}: annotation file cannot be read ({error.strerror})") from error

    def refuse(*_: object) -> NoReturn:
        raise InputError(f"{path}: expected XML without a document type, got <!DOCTYPE")

    check = expat.ParserCreate()
    check.StartDoctypeDeclHandler = refuse
    try:
        check.Parse(data, True)
        return ElementTree.fromstring(data)
    except expat.ExpatError as error:
        raise InputError(
            f"{path}: broken XML at line {error.lineno}, column {error.offset + 1}: "
            f"{expat.ErrorString(error.code)}"
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: broken XML: {shown(str(error))[1:-1]}") from error


def read_voc_size(path: Path, root: ElementTree.Element) -> tuple[int, int] | None:
    """Read height and width; ``None`` where not stated or 0. InputError for other numbers."""
    node = root.find("size")
    if node is None:
        return None
    sides = [_number(path, "size", node, key, default=0) for key in ("height", "width")]
    if any(side % 1 or side < 0 for side in sides):
        raise InputError(f"{path}: size: expected whole numbers, got {sides[1]:g} x {sides[0]:g}")
    return (int(sides[0]), int(sides[1])) if min(sides) > 0 else None


def read_voc_object(path: Path, number: int, node: ElementTree.Element) -> VocObject:
    """Read object ``number`` of a file; InputError for a key that is missing or wrong."""
    where = f"object {number}"
    name = (node.findtext("name") or "").strip()
    if not name:
        raise InputError(f"{path}: {where}, key 'name': expected the name of a class, got nothing")
    where = f"{where} ({shown(name)})"
    box = node.find("bndbox")
    if box is None:
        raise InputError(f"{path}: {where}, key 'bndbox': expected a box, the key is missing")
    x1, y1, x2, y2 = (
        _number(path, where, box, key) for key in ("xmin", "ymin", "xmax", "ymax")
    )  # fmt: skip
    difficult = _number(path, where, node, "difficult", default=0)
    if difficult not in (0, 1):
        raise InputError(f"{path}: {where}, key 'difficult': expected 0 or 1, got {difficult:g}")
    return VocObject(name, (x1, y1, x2, y2), difficult == 1)


def _number(
    path: Path, where: str, node: ElementTree.Element, key: str, default: float | None = None
) -> float:
    text = node.findtext(key)
    if default is not None and (text is None or not text.strip()):
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:
        got = "the key is missing" if text is None else f"got {shown(text)}"
        raise InputError(f"{path}: {where}, key {key!r}: expected a number, {got}")
    return value
