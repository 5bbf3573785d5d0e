"""Which column of a CSV file of boxes is which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from otadet.data.text_file import shown
from otadet.errors import InputError

Column = Literal["image", "class", "x1", "y1", "x2", "y2", "width", "height"]

CORNERS: tuple[Column, ...] = ("x1", "y1", "x2", "y2")

NAMES: dict[Column, tuple[str, ...]] = {
    "image": ("filename", "file", "path", "filepath", "image", "imagename", "imagepath",
              "imagefile", "imageid", "img", "imgname", "imgpath"),
    "class": ("class", "classname", "label", "labelname", "category", "categoryname"),
    "x1": ("xmin", "x1", "left"),
    "y1": ("ymin", "y1", "top"),
    "x2": ("xmax", "x2", "right"),
    "y2": ("ymax", "y2", "bottom"),
    "width": ("width", "imagewidth", "imgwidth"),
    "height": ("height", "imageheight", "imgheight"),
}  # fmt: skip
"""Known names of the columns, in lower case and without ``_``, ``-`` and spaces."""

_HEADERLESS: tuple[Column, ...] = ("image", "x1", "y1", "x2", "y2", "class")


def find_columns(first: Sequence[str], where: str) -> tuple[dict[Column, int], bool]:
    """Return the place of each column, and whether the first row is a header.

    A row without one is RetinaNet's ``path,x1,y1,x2,y2,class``, with numbers or nothing between.

    Args:
        first: the first row.
        where: the file, for messages.

    Raises:
        InputError: neither a header with all columns nor such a row; or one column by two names.
    """
    corners = [field.strip() for field in first[1:5]]
    if len(first) == 6 and (all(map(_is_number, corners)) or not any(corners)):
        return {column: place for place, column in enumerate(_HEADERLESS)}, False
    columns: dict[Column, int] = {}
    for place, name in enumerate(map(_plain, first)):
        for column, names in NAMES.items():
            if name in names:
                if column in columns:
                    two = f"{first[columns[column]].strip()!r} and {first[place].strip()!r}"
                    raise InputError(f"{where}: two columns for the {column}: {two}; expected one")
                columns[column] = place
    if not {"image", "class", *CORNERS} <= columns.keys():
        raise InputError(
            f"{where}: expected a header such as filename,width,height,class,xmin,ymin,xmax,ymax "
            "(corners also x1,y1,x2,y2 or left,top,right,bottom; without width and height too), or "
            f"rows path,x1,y1,x2,y2,class; got {shown(','.join(first))}"
        )
    return columns, True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c not in "_- ")
