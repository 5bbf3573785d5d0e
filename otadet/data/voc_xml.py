"""One XML file of PASCAL VOC, checked: http://host.robots.ox.ac.uk/pascal/VOC/.

Documents that declare a type are refused before they are built: entities that are declared there
can grow a file of a kilobyte to gigabytes, and VOC's files have none.
"""

from __future__ import annotations

import codecs
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from otadet.data.text_file import shown
from otadet.errors import InputError
from otadet.regular_file import read_regular

_LARGEST = 1e9
_MAX_BYTES = 1 << 26


@dataclass(frozen=True)
class VocObject:
    """An ``object`` of a file.

    Attributes:
        number: which object of the file it is, from 1 on.
        name: of the class.
        box: xmin, ymin, xmax, ymax as they stand there: 1-based, the last pixel included.
        difficult: whether it is marked so.
    """

    number: int
    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True)
class VocFile:
    """What one file says.

    Attributes:
        file_name: of the image; ``None`` where it is not stated.
        size: height and width; ``None`` where they are not stated or 0.
        objects: those that are as VOC has them, in the file's order.
        faults: what is wrong with the others.
        encoding: ``latin-1`` where the text is neither UTF-8 nor what its first line states.
    """

    file_name: str | None = None
    size: tuple[int, int] | None = None
    objects: tuple[VocObject, ...] = ()
    faults: tuple[str, ...] = ()
    encoding: str = ""


class _Fault(Exception):
    """An entry that is not as VOC has it."""


def read_voc_xml(path: Path) -> VocFile:
    """Read one file; what is wrong with it is in its ``faults``."""
    try:
        root, encoding = _parse(path)
    except _Fault as fault:
        return VocFile(faults=(str(fault),))
    faults: list[str] = []
    objects: list[VocObject] = []
    size = None
    try:
        size = _size(root)
    except _Fault as fault:
        faults.append(str(fault))
    for number, node in enumerate(root.findall("object"), 1):
        try:
            objects.append(_object(number, node))
        except _Fault as fault:  # noqa: PERF203 - the others are read
            faults.append(str(fault))
    name = (root.findtext("filename") or "").strip()
    return VocFile(name or None, size, tuple(objects), tuple(faults), encoding)


def _parse(path: Path) -> tuple[ElementTree.Element, str]:
    """Return the root element of a file without a document type, and its odd encoding."""
    try:
        data = read_regular(path, "annotation file", _MAX_BYTES)
    except InputError as error:
        raise _Fault(str(error).removeprefix(f"{path}: ")) from None
    encoding = ""
    try:
        try:
            root = _root(data)
        except expat.ExpatError as error:
            if not _is_latin(data, error):
                raise
            encoding = "latin-1"
            root = _root(data.decode(encoding).encode())
    except expat.ExpatError as error:
        raise _Fault(
            f"broken XML at line {error.lineno}, column {error.offset + 1}: "
            f"{expat.ErrorString(error.code)}"
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise _Fault(f"broken XML: {shown(str(error))[1:-1]}") from error
    if root.tag != "annotation":
        raise _Fault(f"expected <annotation>, got <{shown(root.tag)[1:-1]}>")
    return root, encoding


def _root(data: bytes) -> ElementTree.Element:
    """Return the root element of a document without a type."""

    def refuse(*_: object) -> NoReturn:
        raise _Fault("expected XML without a document type, got <!DOCTYPE")

    check = expat.ParserCreate()
    check.StartDoctypeDeclHandler = refuse
    check.Parse(data, True)
    return ElementTree.fromstring(data)


def _is_latin(data: bytes, error: expat.ExpatError) -> bool:
    """Return whether bytes that no UTF-8 has ended the parsing."""
    if error.code != expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return not data.startswith(codecs.BOM_UTF8)
    return False


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    node = root.find("size")
    if node is None:
        return None
    sides = [_number("size", node, key, default=0) for key in ("height", "width")]
    if any(side % 1 or side < 0 for side in sides):
        raise _Fault(f"size: expected whole numbers, got {sides[1]:g} x {sides[0]:g}")
    return (int(sides[0]), int(sides[1])) if min(sides) > 0 else None


def _object(number: int, node: ElementTree.Element) -> VocObject:
    where = f"object {number}"
    name = (node.findtext("name") or "").strip()
    if not name:
        raise _Fault(f"{where}, key 'name': expected the name of a class, got nothing")
    where = f"{where} ({shown(name)})"
    box = node.find("bndbox")
    if box is None:
        raise _Fault(f"{where}, key 'bndbox': expected a box, the key is missing")
    x1, y1, x2, y2 = (_number(where, box, key) for key in ("xmin", "ymin", "xmax", "ymax"))
    difficult = _number(where, node, "difficult", default=0)
    if difficult not in (0, 1):
        raise _Fault(f"{where}, key 'difficult': expected 0 or 1, got {difficult:g}")
    return VocObject(number, name, (x1, y1, x2, y2), difficult == 1)


def _number(where: str, node: ElementTree.Element, key: str, default: float | None = None) -> float:
    text = node.findtext(key)
    if default is not None and (text is None or not text.strip()):
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:
        got = "the key is missing" if text is None else f"got {shown(text)}"
        raise _Fault(f"{where}, key {key!r}: expected a number, {got}")
    return value
