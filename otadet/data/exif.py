"""EXIF orientation: where a file states it, and how it turns an image."""

from __future__ import annotations

import struct
from mmap import mmap

import cv2
import numpy as np
import numpy.typing as npt

SWAPPED = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
FLIPPED = frozenset({2, 3, 4})
"""EXIF orientations that mirror an image or turn it upside down; its size stays."""
INVERSE = {**{each: each for each in range(1, 9)}, 6: 8, 8: 6}
"""The orientation that undoes another."""

ORIENTATION = 0x0112
"""Tag of TIFF and EXIF."""
_SHORT, _LONG = 3, 4  # the types of a number of two and of four bytes
_BIG = 43  # the version of a TIFF file with addresses of eight bytes
_MOST_VALUES = 4


def tiff_tags(data: bytes | mmap) -> dict[int, tuple[int, ...]]:
    """Read the first directory of a TIFF file or EXIF block; empty where there is none.

    Returns:
        Values by tag, the first four; none for a tag of another type than whole numbers of two or
        four bytes, and for one that comes twice with different values.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return {}
    big = struct.unpack(order + "H", data[2:4])[0] == _BIG
    place, number, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    at = struct.unpack_from(order + place, data, 8 if big else 4)[0]
    start = at + struct.calcsize(number)
    if start > len(data):
        return {}
    count = min(struct.unpack_from(order + number, data, at)[0], 0xFFFF)
    tags: dict[int, tuple[int, ...]] = {}
    for at in range(start, min(start + entry * count, len(data) - entry + 1), entry):
        tag, values = _entry(data, at, order, place)
        tags[tag] = values if tags.get(tag, values) == values else ()
    return tags


def _entry(data: bytes | mmap, at: int, order: str, place: str) -> tuple[int, tuple[int, ...]]:
    """Tag and values of a directory's entry; values that do not fit in it lie elsewhere."""
    tag, kind, count = struct.unpack_from(f"{order}HH{place}", data, at)
    if kind not in (_SHORT, _LONG):
        return tag, ()
    letter, room = "H" if kind == _SHORT else "I", struct.calcsize(place)
    at += 4 + room
    if count * struct.calcsize(letter) > room:
        at = struct.unpack_from(order + place, data, at)[0]
    form = f"{order}{min(count, _MOST_VALUES)}{letter}"
    return tag, struct.unpack_from(form, data, at) if at + struct.calcsize(form) <= len(
        data
    ) else ()


def orientation_of(data: bytes | mmap) -> int:
    """Return the orientation, 1 to 8, of a TIFF file or EXIF block; 1 where it states none."""
    value, *_ = tiff_tags(data).get(ORIENTATION) or (1,)
    return value if value in INVERSE else 1


def oriented(image: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Turn and mirror stored pixels ``[H, W, 3]`` upright, as an orientation of 1 to 8 says."""
    if orientation in (5, 7):
        image = np.asarray(cv2.transpose(image), np.uint8)
    if orientation in (6, 8):
        turn = cv2.ROTATE_90_CLOCKWISE if orientation == 6 else cv2.ROTATE_90_COUNTERCLOCKWISE
        return np.asarray(cv2.rotate(image, turn), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 7: -1}.get(orientation)  # OpenCV's: 1 mirrors left and right
    return image if flip is None else np.asarray(cv2.flip(image, flip), np.uint8)
