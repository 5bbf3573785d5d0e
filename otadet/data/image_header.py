"""Read the headers of image files by hand: size, EXIF orientation, and whether the end is there."""

from __future__ import annotations

import struct

from otadet.geometry import Size

_PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_ORIENTATION = 0x0112
SWAPPED = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
FLIPPED = frozenset({2, 3, 4})
"""EXIF orientations that mirror an image or turn it upside down; its size stays."""
HEADER = 1 << 16  # bytes; most files state their size within
_JPEG_START_OF_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC


def stated_size(data: bytes) -> Size | None:
    """Return the size that the header of a JPEG or PNG states, from the file's first bytes."""
    size: Size | None = None
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        size = (height, width)
    elif data.startswith(JPEG):
        size, _ = _scan_jpeg(data)
    return size if size is not None and min(size) > 0 else None


def is_cut_short(data: bytes) -> bool:
    """Return whether the end of a JPEG, PNG or WebP file is missing."""
    if data.startswith(JPEG):
        _, scan = _scan_jpeg(data)
        return scan is None or data.rfind(b"\xff\xd9", scan) < 0
    if data.startswith(_PNG):
        return data.rfind(b"IEND") < 0
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    return False


def _scan_jpeg(data: bytes) -> tuple[Size | None, int | None]:
    """The size and the place of the first scan; ``None`` for what the header does not reach.

    Walks from segment to segment, since EXIF's thumbnail is a JPEG with an end of its own. Within
    a scan the bytes FF D9 stand for nothing but the end of the image.
    """
    size: Size | None = None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == _JPEG_START_OF_SCAN:
            return size, at
        if marker in _JPEG_FRAMES and at + 9 <= len(data):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = (height, width)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return size, None


def exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation, 1 to 8, of a JPEG or PNG file that begins with ``data``.

    1 where it states none.

    Read by hand: ``Image.open`` of Pillow takes longer for a header, of which a data set has many,
    refuses images of 179 million pixels, and warns of damaged blocks.
    """
    mark = b"Exif\0\0" if data.startswith(JPEG) else b"eXIf"
    known = data.startswith((JPEG, _PNG))
    place = data.find(mark, 0, HEADER) if known else -1
    tiff = data[place + len(mark) :]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2]) if place >= 0 else None
    if order is None or len(tiff) < 10:
        return 1
    at = struct.unpack(f"{order}I", tiff[4:8])[0]
    count = int.from_bytes(tiff[at : at + 2], "little" if order == "<" else "big")
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, _, _, value = struct.unpack(f"{order}HHIH", tiff[entry : entry + 10])
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1
