"""EXIF orientation: where a file states it, and how it turns an image."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import numpy.typing as npt

SWAPPED = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
FLIPPED = frozenset({2, 3, 4})
"""EXIF orientations that mirror an image or turn it upside down; its size stays."""
INVERSE = {**{each: each for each in range(1, 9)}, 6: 8, 8: 6}
"""The orientation that undoes another."""

WIDTH, HEIGHT, ORIENTATION = 0x0100, 0x0101, 0x0112
"""Tags of TIFF and EXIF."""
_LONG = 4  # the type of a number of four bytes


def tiff_tags(data: bytes) -> dict[int, int]:
    """Read the first directory of a TIFF file or EXIF block; empty where there is none.

    Returns:
        The tags' first values, right for those that are whole numbers.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 10:
        return {}
    at = struct.unpack(order + "I", data[4:8])[0]
    count = int.from_bytes(data[at : at + 2], "little" if order == "<" else "big")
    tags: dict[int, int] = {}
    for entry in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack(order + "HH", data[entry : entry + 4])
        value = data[entry + 8 : entry + 12]
        tags[tag] = struct.unpack(order + ("I" if kind == _LONG else "Hxx"), value)[0]
    return tags


def orientation_of(tags: dict[int, int]) -> int:
    """Return the orientation, 1 to 8, that tags state; 1 where they state none that exists."""
    value = tags.get(ORIENTATION, 1)
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
