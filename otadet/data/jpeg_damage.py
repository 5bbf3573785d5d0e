"""JPEG files that have their end and lack data before it."""

from __future__ import annotations

import re

import cv2
import numpy as np
import numpy.typing as npt

from otadet.data.image_header import SCAN, jpeg_segments, read_header

_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})  # frames coded by Huffman: baseline, extended, progressive
_END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # any marker but a restart
# Data for the blocks that are left, with every restart marker, one of which the decoder waits for.
_BYTES = bytes(range(1, 255))
_FILLER = _BYTES + b"".join(bytes((0xFF, 0xD0 + number)) + _BYTES for number in range(8))
_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_GREY = 128
_BLOCK = 8  # pixels
_TAIL, _LONGEST_PERIOD = 64, 32  # bytes


def lacks_data(data: bytes, image: npt.NDArray[np.uint8]) -> bool:
    """Return whether a part of the data of a JPEG is missing, its end being there.

    libjpeg decodes the rest in the place of what is missing and makes the last blocks, for which
    nothing is left, exactly grey. An image may as well end in that grey, such as one that was
    padded. Only of images that do, bytes are put before the end of the first scan and they are
    decoded again: a decoder that has all its blocks does not use them, one that lacks data does.

    Not found are: data that were overwritten, unless blocks run out; less than a block's data;
    loss between restart markers, where only some rows become grey; loss in a progressive file
    that still has the details of the grey blocks; CMYK and arithmetic coding.

    Args:
        data: a whole file.
        image: what it was decoded to, as stored; may be reduced.
    """
    if image[-1, -1].tolist() != [_GREY] * 3:
        return False
    segments = dict(jpeg_segments(data))
    end = _END_OF_SCAN.search(data, segments[SCAN] + 2)
    if end is None or not _HUFFMAN & segments.keys():
        return False
    whole = image if image.shape[:2] == read_header(data).size else _decode(data)
    if (whole[-_BLOCK:, -_BLOCK:] != _GREY).any() or _is_padding(whole, data[: end.start()]):
        return False
    filled = _decode(data[: end.start()] + _FILLER + data[end.start() :])
    return not np.array_equal(whole, filled)


def _is_padding(image: npt.NDArray[np.uint8], scan: bytes) -> bool:
    """Whether the grey at an image's end is coded for certain.

    Then the last bytes repeat, as for equal blocks, and the image has no equal blocks before the
    grey that they could be of. It spares padded images the second decoding, at which libjpeg
    writes a line to the standard error.
    """
    tail = scan[-_TAIL - 1 : -1]  # the last byte is filled up with ones
    if not any(tail[period:] == tail[:-period] for period in range(1, _LONGEST_PERIOD + 1)):
        return False
    other = (image != _GREY).any(axis=2)
    if not other.any():
        return True
    y = int(np.flatnonzero(other.any(axis=1))[-1]) + 1
    x = int(np.flatnonzero(other[y - 1])[-1]) + 1
    # The last block may be a part of one, and colour is interpolated from block to block: look
    # at the inner part of the one before.
    before = image[max(0, y - 8) : max(0, y - 2), max(0, x - 24) : max(0, x - 18)]
    return before.size > 0 and bool((before != before[0, 0]).any())


def _decode(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS), np.uint8)
