"""Image files: pixels as RGB uint8, the size in the header, and whether the file is whole.

An image is upright as EXIF says, whatever the format of file and annotations. One exception:
where the stated size is that of the stored pixels and not the upright one, annotations were made
on the stored pixels, and these are taken. OpenCV silently fills what is missing of a JPEG with
grey, so that is checked here.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from otadet.atomic import Replace, atomic_path
from otadet.data.exif import INVERSE, oriented
from otadet.data.image_header import (
    HEADER,
    JPEG,
    PNG,
    TIFF,
    ImageHeader,
    is_cut_short,
    read_header,
    tiff_header,
)
from otadet.data.image_options import PLAIN, ImageOptions
from otadet.data.jpeg_damage import lacks_data
from otadet.data.levels import ADVICE, Levels
from otadet.data.raster import MAX_FILE, RasterImage
from otadet.data.windowed_image import as_array
from otadet.errors import InputError
from otadet.geometry import Size
from otadet.regular_file import open_regular

WRITTEN_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Endings of the formats that images are written in, in lower case."""

IMAGE_ENDINGS = (*WRITTEN_ENDINGS, ".jpe", ".jfif", ".gif", ".avif", ".jp2", ".ppm", ".pgm")
"""Endings of the image files that are read, in lower case; of an animation the first frame is."""

UNREAD_ENDINGS = frozenset({
    ".heic", ".heif", ".jxl", ".svg", ".psd", ".xcf", ".tga", ".ico", ".exr", ".dcm", ".raw",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
})  # fmt: skip
"""Endings of image files that OpenCV does not read."""

MAX_PIXELS = 1 << 28
"""Largest number of pixels of an image, and twice that of one with 16 bits a channel: 0.8 GB once
decoded."""
MAX_BYTES = 1 << 30
"""Largest image file."""
ADVICE_LARGE = "tile=640 reads it in tiles of 640 px, with pip install 'otadet[large]'"
"""What to do about an image that is too large to be decoded as a whole."""
MAX_SCANS = 100
"""Most scans of a JPEG: each of a progressive one goes over the whole image again."""

_WHOLE = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
# Of 16 bits OpenCV's TIFF reader gives BGR even where RGB is asked for.
_DEEP = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {  # OpenCV's own constants are for BGR: the lowest bit, which IMREAD_COLOR_RGB replaces
    2: _WHOLE | (cv2.IMREAD_REDUCED_COLOR_2 & ~1),
    4: _WHOLE | (cv2.IMREAD_REDUCED_COLOR_4 & ~1),
    8: _WHOLE | (cv2.IMREAD_REDUCED_COLOR_8 & ~1),
}


class DamagedImageError(InputError):
    """An image file has its end but lacks data before it."""


def read_image(
    path: Path, size: Size | None = None, reduce: int = 1, options: ImageOptions = PLAIN
) -> npt.NDArray[np.uint8]:
    """Decode an image file of any depth and number of channels, upright as EXIF says.

    Where ``size`` is that of the stored pixels and not of the upright image, the stored pixels
    are taken. So square images, and those that EXIF mirrors or turns by 180 degrees, are always
    upright.

    Grey becomes three equal channels and an alpha channel is left away. Of 16 bits the upper 8
    of those in use are kept: a camera's 10, 12 or 14 bits come in files of 16, and divided by 256
    they would be almost black. The bits in use are the fewest of 8, 10, 12, 14 and 16 that hold
    the file's largest number. Only whole camera depths, so that images of one camera look alike
    unless one leaves three quarters of its range unused; and the maximum, not a share of the
    pixels, so that nothing is cut off. A file that would be black so is refused.

    Pages and channels, more than four channels, and other kinds of numbers are read by
    :class:`~otadet.data.raster.RasterImage`.

    Args:
        path: a file of a format of :data:`IMAGE_ENDINGS`, whatever its own ending.
        size: the height and width that the annotations state; none: any, upright.
        reduce: 1, 2, 4 or 8: decode a JPEG to sides so many times smaller, rounded up, which takes
            less time. Other formats come whole.
        options: pages, channels and stretch.

    Returns:
        ``[H, W, 3]`` uint8 RGB.

    Raises:
        InputError: the file is missing, no image, cut short, of another size than stated, or of
            more than :data:`MAX_PIXELS`; sizes are compared before memory is taken where the
            header says them.
        DamagedImageError: data are missing in a JPEG (:mod:`otadet.data.jpeg_damage`).
    """
    if options.of_tiff:
        return _read_raster(path, read_file_header(path), size, options)
    data = _read_bytes(path)
    header = read_header(data)
    if header.is_raster:
        return _read_raster(path, header, size, options)
    if header.size is not None:
        turn(path, header, size)
    reduced = reduce > 1 and data.startswith(JPEG)
    image = _decode(path, data, header, _REDUCED[reduce] if reduced else _WHOLE, options)
    if not reduced:
        header = ImageHeader((image.shape[0], image.shape[1]), header.orientation)
    return oriented(image, turn(path, header, size))


def turn(path: Path, header: ImageHeader, size: Size | None) -> int:
    """Return the EXIF orientation by which stored pixels are turned to the stated size.

    Raises:
        InputError: the image has another size.
    """
    if size in (None, header.upright):
        return header.orientation
    if size == header.size:
        return 1
    raise InputError(
        f"{path}: the image is {_text(header.upright)} (width x height), its annotation says "
        f"{_text(size)}"
    )


def decode_image(data: bytes, name: str, options: ImageOptions = PLAIN) -> npt.NDArray[np.uint8]:
    """Decode the bytes of an image file, upright as EXIF says; else like :func:`read_image`.

    Args:
        data: a whole file.
        name: what an error calls it, such as its address.
        options: only the stretch; pages and channels need a file.

    Returns:
        ``[H, W, 3]`` uint8 RGB.

    Raises:
        InputError: no image, cut short or damaged, or options that need a file.
    """
    header = read_header(data)
    if options.of_tiff or header.is_raster:
        raise InputError(
            f"{name}: pages, channels and numbers of other kinds than 8 and 16 bits are read of "
            "files on the disk only"
        )
    return oriented(_decode(name, data, header, _WHOLE, options), header.orientation)


def read_size(path: Path) -> Size:
    """Read height and width of the upright image from the header.

    Raises:
        InputError: the file is missing or no image.
    """
    upright = read_file_header(path).upright
    if upright is None:
        raise _unreadable(path)
    return upright


def read_file_header(path: Path) -> ImageHeader:
    """Read what the header of an image file states.

    Raises:
        InputError: the file is missing or empty.
    """
    with open_regular(path, "image file", MAX_FILE) as (file, size):
        data = file.read(HEADER)
        if len(data) >= 16 and data.startswith(TIFF):  # whose directory may lie anywhere
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return tiff_header(content)
        if data.startswith(PNG):  # the end may hold EXIF
            file.seek(max(len(data), size - HEADER))
            data += file.read(HEADER)
        elif size <= MAX_BYTES and not data.startswith(JPEG):
            data += file.read(size - len(data))
    header = read_header(_not_empty(path, data))
    if header.size is None and data.startswith(JPEG):
        return read_header(_read_bytes(path))
    return header


def left_out(names: Iterable[str]) -> str:
    """Name the image files that are not read, such as ``3 .heic files``; empty for none."""
    counts = Counter(Path(name).suffix.lower() for name in names)
    return ", ".join(
        f"{counts[ending]} {ending} file{'s' * (counts[ending] > 1)}"
        for ending in sorted(counts.keys() & UNREAD_ENDINGS)
    )


def write_image(path: Path, image: npt.NDArray[np.uint8], through: Replace = atomic_path) -> None:
    """Write an image whole or not at all, in the format that the file name's ending asks for.

    Args:
        path: the file; its folder must exist.
        image: ``[H, W, 3]`` uint8 RGB.
        through: how the file gets its name.

    Raises:
        InputError: OpenCV does not know the ending or cannot encode the image.
        OSError: the file cannot be written.
    """
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise InputError(f"{path}: unknown image format {path.suffix!r}") from error
    if not done:
        raise InputError(f"{path}: the image could not be encoded as {path.suffix!r}")
    with through(path, ".part", False) as part:
        part.write_bytes(data.tobytes())


def _read_bytes(path: Path) -> bytes:
    with open_regular(path, "image file", MAX_FILE) as (file, size):
        if size > MAX_BYTES:
            raise InputError(
                f"{path}: expected an image file of at most {MAX_BYTES:,} bytes, got {size:,}; "
                f"{ADVICE_LARGE}"
            )
        return _not_empty(path, file.read(size))


def _not_empty(path: Path, data: bytes) -> bytes:
    if not data:
        raise InputError(f"{path}: image file is empty")
    return data


def _read_raster(
    path: Path, header: ImageHeader, size: Size | None, options: ImageOptions
) -> npt.NDArray[np.uint8]:
    if header.depth > 16 and options.stretch is None:
        raise InputError(
            f"{path}: expected pixels of 8 or 16 bits, got {header.depth} bits; {ADVICE}"
        )
    image = RasterImage(path, options)
    header = replace(header, size=image.size)  # of the page
    orientation = turn(path, header, size)
    _check_memory(path, header)
    return oriented(as_array(image), orientation)


def _decode(
    path: Path | str, data: bytes, header: ImageHeader, flags: int, options: ImageOptions
) -> npt.NDArray[np.uint8]:
    """Decode the pixels as they are stored."""
    if is_cut_short(data):
        raise InputError(f"{path}: image file is truncated (its end is missing)")
    _check_memory(path, header)
    if data.startswith(JPEG) and (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise InputError(f"{path}: expected a JPEG of at most {MAX_SCANS} scans, got {scans}")
    deep = header.depth > 8
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _DEEP if deep else flags)
    except cv2.error as error:
        raise InputError(f"{path}: not a readable image ({error.err})") from error
    if image is None:
        raise _unreadable(path)
    if data.startswith(JPEG) and lacks_data(data, np.asarray(image, np.uint8)):
        raise DamagedImageError(
            f"{path}: image file is damaged: data are missing in it, and its lower end is grey"
        )
    levels = Levels.of(image, options.stretch, path)
    pixels = np.asarray(image, np.uint8) if levels is None else levels(image)
    if deep:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    if data.startswith(TIFF):  # OpenCV turns these always
        return oriented(pixels, INVERSE[header.orientation])
    return pixels


def _check_memory(path: Path | str, header: ImageHeader) -> None:
    """Refuse an image before its pixels take memory."""
    if header.size is None:
        raise _unreadable(path)
    limit = MAX_PIXELS * 8 // max(8, header.depth)
    if header.size[0] * header.size[1] > limit:
        raise InputError(
            f"{path}: expected at most {limit:,} pixels, got {_text(header.size)}; {ADVICE_LARGE}"
        )


def _unreadable(path: Path | str) -> InputError:
    return InputError(
        f"{path}: not a readable image, or of a format that is not read; expected "
        "JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, JPEG 2000, PPM or PGM"
    )


def _text(size: Size | None) -> str:
    return f"{size[1]} x {size[0]}" if size is not None else "unknown"
