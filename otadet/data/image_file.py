"""Image files: pixels as RGB uint8, the size in the header, and whether the file is whole.

OpenCV silently fills what is missing of a JPEG with grey, so the end is checked here.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from otadet.data.image_header import (
    HEADER,
    JPEG,
    SWAPPED,
    exif_orientation,
    is_cut_short,
    stated_size,
)
from otadet.errors import InputError
from otadet.geometry import Size

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

MAX_PIXELS = 1 << 28
"""Largest number of pixels of an image; 0.8 GB once decoded."""

_AS_EXIF_SAYS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH
_AS_STORED = _AS_EXIF_SAYS | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {  # OpenCV's own constants are for BGR: the lowest bit, which IMREAD_COLOR_RGB replaces
    2: _AS_EXIF_SAYS | (cv2.IMREAD_REDUCED_COLOR_2 & ~1),
    4: _AS_EXIF_SAYS | (cv2.IMREAD_REDUCED_COLOR_4 & ~1),
    8: _AS_EXIF_SAYS | (cv2.IMREAD_REDUCED_COLOR_8 & ~1),
}
_CAMERA_BITS = (8, 10, 12, 14, 16)


def read_image(
    path: Path, size: Size | None = None, upright: bool = False, reduce: int = 1
) -> npt.NDArray[np.uint8]:
    """Decode an image file of any depth and number of channels.

    Grey becomes three equal channels and an alpha channel is left away. Of 16 bits the upper 8
    of those in use are kept: a camera's 10, 12 or 14 bits come in files of 16, and divided by 256
    they would be almost black. The bits in use are the fewest of 8, 10, 12, 14 and 16 that hold
    the file's largest number. Only whole camera depths, so that images of one camera look alike
    unless one leaves three quarters of its range unused; and the maximum, not a share of the
    pixels, so that nothing is cut off.

    Without ``upright`` pixels are taken as they are stored. Only where the stored size is not
    ``size`` and the one after the file's EXIF rotation is, they are rotated: annotations were then
    made on the upright image.

    Args:
        path: a file of any format that OpenCV reads.
        size: the height and width that the annotations state.
        upright: turn and mirror as EXIF says, for images without annotations and for formats
            whose annotations are of the upright image. ``size`` is then that of the upright image.
        reduce: 1, 2, 4 or 8: decode a JPEG of the stated ``size`` to sides so many times smaller,
            rounded up, which takes less time. Other formats come whole.

    Returns:
        ``[H, W, 3]`` uint8 RGB.

    Raises:
        InputError: the file is missing, no image, cut short, of another size than stated, or of
            more than :data:`MAX_PIXELS`; sizes are compared before memory is taken where the
            header says them.
    """
    data = _read_bytes(path)
    if size is None:
        return _decode(path, data, _AS_EXIF_SAYS if upright else _AS_STORED)
    found = stated_size(data)
    if found is not None and upright and exif_orientation(data) in SWAPPED:
        found = found[::-1]
    ignored = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
    if found is None or found == size:
        if reduce > 1 and data.startswith(JPEG) and found is not None:
            return _decode(path, data, _REDUCED[reduce] | ignored)
        image = _decode(path, data, _AS_EXIF_SAYS | ignored)
        found = image.shape[0], image.shape[1]
        if found == size:
            return image
    if found == size[::-1] and not upright:
        rotated = _decode(path, data, _AS_EXIF_SAYS)
        if rotated.shape[:2] == size:
            return rotated
    raise InputError(
        f"{path}: the image is {_text(found)} (width x height), its annotation says {_text(size)}"
    )


def decode_image(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode the bytes of an image file, rotated as EXIF says; else like :func:`read_image`.

    Args:
        data: a whole file.
        name: what an error calls it, such as its address.

    Returns:
        ``[H, W, 3]`` uint8 RGB.

    Raises:
        InputError: no image, or cut short.
    """
    return _decode(name, data, _AS_EXIF_SAYS)


def read_size(path: Path, upright: bool = False) -> Size:
    """Read height and width of the stored pixels, from the header where the format is JPEG or PNG.

    Args:
        path: the file.
        upright: those after EXIF's rotation, for annotations of the upright image.

    Raises:
        InputError: the file is missing or no image.
    """
    data = _read_bytes(path, HEADER)
    size = stated_size(data)
    if size is None and len(data) == HEADER:
        data = _read_bytes(path)
        size = stated_size(data)
    if size is not None:
        return size[::-1] if upright and exif_orientation(data) in SWAPPED else size
    image = _decode(path, data, _AS_EXIF_SAYS if upright else _AS_STORED)
    return image.shape[0], image.shape[1]


def read_orientation(path: Path) -> int:
    """Return the EXIF orientation of an image file, 1 to 8.

    Raises:
        InputError: the file is missing or empty.
    """
    return exif_orientation(_read_bytes(path, HEADER))


def write_image(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write ``[H, W, 3]`` uint8 RGB in the format that the file name's ending asks for.

    Raises:
        InputError: OpenCV does not know the ending, or the folder cannot be written to.
    """
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise InputError(f"{path}: unknown image format {path.suffix!r}") from error
    if not done:
        raise InputError(f"{path}: the image could not be encoded as {path.suffix!r}")
    path.write_bytes(data.tobytes())


def _read_bytes(path: Path, limit: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit)
    except FileNotFoundError:
        raise InputError(f"{path}: image file not found") from None
    except OSError as error:
        raise InputError(f"{path}: image file cannot be read ({error.strerror})") from error
    if not data:
        raise InputError(f"{path}: image file is empty")
    return data


def _decode(path: Path | str, data: bytes, flags: int) -> npt.NDArray[np.uint8]:
    if is_cut_short(data):
        raise InputError(f"{path}: image file is truncated (its end is missing)")
    stated = stated_size(data)
    if stated is not None and stated[0] * stated[1] > MAX_PIXELS:
        raise InputError(
            f"{path}: expected at most {MAX_PIXELS:,} pixels, "
            f"got {_text(stated)}; cut it into tiles"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{path}: not a readable image ({error.err})") from error
    if image is None:
        raise InputError(f"{path}: not a readable image, or of a format that OpenCV does not read")
    if image.dtype == np.uint16:
        # Of 16 bits OpenCV's TIFF reader gives BGR even where RGB is asked for.
        bgr = cv2.imdecode(
            np.frombuffer(data, np.uint8), flags & ~cv2.IMREAD_COLOR_RGB | cv2.IMREAD_COLOR
        )
        return _upper_bits(np.asarray(bgr, np.uint16)[..., ::-1])
    if image.dtype != np.uint8:
        raise InputError(f"{path}: expected pixels of 8 or 16 bits, got {image.dtype}")
    return np.asarray(image, np.uint8)


def _upper_bits(image: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    used = int(image.max(initial=0)).bit_length()
    bits = next(b for b in _CAMERA_BITS if b >= used)
    return np.ascontiguousarray((image >> (bits - 8)).astype(np.uint8))


def _text(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
