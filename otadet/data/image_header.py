"""Read the headers of image files by hand: size, depth, EXIF orientation, whether the end is there.

By hand, since ``Image.open`` of Pillow takes longer for a header, of which a data set has many,
refuses images of 179 million pixels, and warns of damaged blocks; and since OpenCV reads EXIF in
some formats and writings of it only. What takes memory is known before any is taken: where a file
says a size twice, the larger one counts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

from otadet.data.exif import SWAPPED, orientation_of, tiff_tags
from otadet.geometry import Size

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HEADER = 1 << 16  # bytes; most JPEG files state their size within

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG's frame header, SOF0 to SOF15; not DHT, JPG and DAC."""
SCAN = 0xDA
"""Marker of a JPEG's scan."""
_APP1 = 0xE1
_EXIF = b"Exif\0\0"
_WIDTH, _HEIGHT, _DEPTH, _CHANNELS = 0x0100, 0x0101, 0x0102, 0x0115  # tags of TIFF
_COMPRESSION, _ROWS, _TILE = 0x0103, 0x0116, (0x0142, 0x0143)
_JP2 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_JP2_SIZE = re.compile(rb"\xff\x4f\xff\x51(..)..(.{16}).{16}(..)", re.DOTALL)
_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_PNM = re.compile(rb"P[1-6]" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})\s")
# EXIF's orientation by AVIF's rotation, quarters counter-clockwise, and its mirror: none, or its
# axis after the rotation (0: top and bottom change places, 1: left and right).
_AVIF_TURNS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image file states.

    Attributes:
        size: height and width of the stored pixels; ``None`` where it is not found.
        orientation: of EXIF, 1 to 8: how the stored pixels are turned upright.
        depth: bits of a pixel's channel; 16 where the format may have more than 8 and that is not
            read, and for an animation, whose decoder keeps several copies.
        channels: of a TIFF file.
        piece: of a compressed TIFF file, the pixels of a strip or tile, which is decoded as a
            whole; else 1.
    """

    size: Size | None = None
    orientation: int = 1
    depth: int = 8
    channels: int = 3
    piece: int = 1

    @property
    def upright(self) -> Size | None:
        """Height and width of the upright image."""
        return self.size[::-1] if self.size and self.orientation in SWAPPED else self.size

    @property
    def is_raster(self) -> bool:
        """Whether the pixels are of a kind that OpenCV does not read as an image."""
        return self.depth > 16 or self.channels not in (1, 3, 4)


def read_header(data: bytes) -> ImageHeader:
    """Read the header of an image file; without a size for formats that are not read.

    Args:
        data: the whole file; of a JPEG the beginning is enough where it holds the size, of a PNG
            beginning and end.
    """
    header = _read(data)
    good = header.size is not None and min(header.size) > 0
    return header if good else ImageHeader(None, header.orientation)


def _read(data: bytes) -> ImageHeader:
    if data.startswith(JPEG):
        return _jpeg(data)
    if data.startswith(PNG):
        return _png(data)
    if _is_webp(data):
        return _webp(data)
    if data[4:8] == b"ftyp" and b"avi" in data[8:48]:
        return _avif(data)
    if data.startswith(TIFF):
        return tiff_header(data)
    if data.startswith(_JP2):
        return _jp2(data)
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return ImageHeader((height, width))
    if data.startswith(b"BM") and len(data) >= 26:
        small = _little(data[14:18]) == 12  # OS/2's header
        width, height = struct.unpack_from("<HH" if small else "<ii", data, 18)
        return ImageHeader((abs(height), width))  # negative: the first row is the top one
    if pnm := _PNM.match(data, 0, HEADER):
        return ImageHeader((int(pnm[2]), int(pnm[1])), depth=16)
    return ImageHeader()


def is_cut_short(data: bytes) -> bool:
    """Return whether the end of a JPEG, PNG or WebP file is missing."""
    if data.startswith(JPEG):
        # Within a scan the bytes FF D9 stand for nothing but the end of the image.
        scan = next((at for marker, at in jpeg_segments(data) if marker == SCAN), len(data))
        return data.rfind(b"\xff\xd9", scan) < 0
    if data.startswith(PNG):
        return data.rfind(b"IEND") < 0
    return _is_webp(data) and len(data) < int.from_bytes(data[4:8], "little") + 8


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield marker and place of a JPEG's segments up to its first scan.

    From segment to segment, since EXIF's thumbnail is a JPEG with an end of its own.
    """
    at = 2
    # Other bytes between segments are skipped, as libjpeg does.
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:
        marker = data[at + 1]
        if marker in (0x00, 0xFF):  # no marker, or a fill byte
            at += 1
            continue
        yield marker, at
        if marker == SCAN:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _jpeg(data: bytes) -> ImageHeader:
    size: Size | None = None
    exif: bytes | None = None
    for marker, at in jpeg_segments(data):
        if marker in FRAMES and at + 9 <= len(data):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = (height, width)
        elif marker == _APP1 and exif is None and data.startswith(_EXIF, at + 4):
            exif = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    return ImageHeader(size, _orientation(exif))


def _png(data: bytes) -> ImageHeader:
    if len(data) < 25:
        return ImageHeader()
    width, height = struct.unpack(">II", data[16:24])
    # Some programs write EXIF before the pixels, others behind.
    at = data.find(b"eXIf", 0, HEADER)
    if at < 0 and len(data) > HEADER:
        at = data.find(b"eXIf", len(data) - HEADER)
    exif = data[at + 4 :] if at >= 0 else None
    animated = b"acTL" in data[: data.find(b"IDAT")]
    return ImageHeader((height, width), _orientation(exif), 16 if animated else data[24])


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _webp(data: bytes) -> ImageHeader:
    if len(data) < 30:
        return ImageHeader()
    kind, first = data[12:16], data[20:30]
    if kind == b"VP8X":
        size = (_little(first[7:10]) + 1, _little(first[4:7]) + 1)
        return ImageHeader(size, _orientation(_webp_exif(data)), 16 if data[20] & 2 else 8)
    if kind == b"VP8L":
        bits = _little(first[1:5])
        return ImageHeader(((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1))
    return ImageHeader((_little(first[8:10]) & 0x3FFF, _little(first[6:8]) & 0x3FFF))


def _webp_exif(data: bytes) -> bytes | None:
    at = 12
    while at + 8 <= len(data):
        end = at + 8 + _little(data[at + 4 : at + 8])
        if data[at : at + 4] == b"EXIF":
            return data[at + 8 : end]
        at = end + end % 2
    return None


def _avif(data: bytes) -> ImageHeader:
    """Of an image in tiles, with a thumbnail or a mask, the largest size is that of the whole."""
    sizes = [
        struct.unpack(">II", each) for each in re.findall(rb"ispe\0{4}(.{8})", data, re.DOTALL)
    ]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    meta = data[: data.find(b"mdat") + 1 or None]
    turn, mirror = meta.find(b"irot"), meta.find(b"imir")
    quarters = meta[turn + 4] & 3 if 0 <= turn < len(meta) - 4 else 0
    axis = (meta[mirror + 4] & 1) + 1 if 0 <= mirror < len(meta) - 4 else 0
    return ImageHeader((height, width), _AVIF_TURNS[quarters][axis], depth=16)


def tiff_header(data: bytes | mmap) -> ImageHeader:
    """Read the header of a TIFF file as :func:`read_header` does, also of one that is mapped."""
    tags = tiff_tags(data)
    height, width = ((tags.get(side) or (0,))[0] for side in (_HEIGHT, _WIDTH))
    depth = max(tags.get(_DEPTH, (1,)), default=64)
    channels, *_ = tags.get(_CHANNELS) or (1,)
    piece = 1 if tags.get(_COMPRESSION, (1,)) == (1,) else _piece(tags, height, width)
    header = ImageHeader((height, width), orientation_of(data), depth, channels, piece)
    return header if min(height, width) > 0 else ImageHeader(None, header.orientation)


def _piece(tags: dict[int, tuple[int, ...]], height: int, width: int) -> int:
    """Pixels of a strip or tile."""
    tile = [side for tag in _TILE for side in tags.get(tag, ())[:1]]
    if len(tile) == 2:
        return tile[0] * tile[1]
    rows, *_ = tags.get(_ROWS) or (height,)
    return min(rows, height) * width


def _jp2(data: bytes) -> ImageHeader:
    """Size and place of the image on its grid are in the code stream, which is what is decoded."""
    sizes = [
        (bottom - top, right - left)
        for length, grid, channels in _JP2_SIZE.findall(data)
        if _big(length) == 38 + 3 * _big(channels)
        for right, bottom, left, top in [struct.unpack(">4I", grid)]
    ]
    return ImageHeader(max(sizes, key=lambda size: size[0] * size[1], default=None), depth=16)


def _orientation(exif: bytes | None) -> int:
    return 1 if exif is None else orientation_of(exif.removeprefix(_EXIF))


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")
