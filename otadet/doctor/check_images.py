"""Image files: missing, unreadable, of another size than stated, turned by EXIF."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from otadet.data.exif import FLIPPED, SWAPPED
from otadet.data.files import is_inside, unfound
from otadet.data.findings import Finding, Severity, Spot, found
from otadet.data.image_file import (
    MAX_BYTES,
    DamagedImageError,
    read_file_header,
    read_image,
)
from otadet.data.image_header import ImageHeader, is_cut_short, read_header
from otadet.data.image_options import PLAIN, ImageOptions
from otadet.data.large_image import open_image
from otadet.data.raster import MAX_FILE
from otadet.data.records import Records
from otadet.data.windowed_image import IN_MEMORY, Image, overview
from otadet.errors import InputError
from otadet.geometry import Size
from otadet.regular_file import open_regular, read_regular

GREY = (16, 17)
"""Height and width of the grey thumbnail; neighbours are compared along the rows."""

_FLAT = 2.0  # grey levels: an image with less spread cannot be recognised

_FAULTS = {
    "file-empty": "files of 0 bytes",
    "file-truncated": "truncated files",
    "file-damaged": "damaged files, in which data are missing",
    "file-not-image": "files that cannot be decoded as an image",
    "size-differs": "images of another size than stated",
}


@dataclass(frozen=True)
class ScannedImage:
    """What decoding an image file showed.

    Attributes:
        code: of the finding about it, or empty.
        message: what is wrong.
        digest: hash of its bytes.
        grey: grey thumbnail, uint8 ``[16, 17]``; ``None`` where it cannot be read or is flat.
        turned: how EXIF swaps its sides: empty, ``taken upright`` (the annotations state the
            upright size) or ``taken as stored``.
        flipped: whether EXIF mirrors it or turns it upside down.
    """

    code: str = ""
    message: str = ""
    digest: bytes = b""
    grey: npt.NDArray[np.uint8] | None = None
    turned: str = ""
    flipped: bool = False


def check_files(records: Records, severity: Severity) -> tuple[list[Finding], list[int]]:
    """Find bad file names and missing files without opening any image.

    Args:
        records: of a split.
        severity: of a file that cannot be read, by the setting ``unreadable``.

    Returns:
        The findings, and the indices of the images whose file exists.
    """
    part, folder = records.split, records.images
    if not folder.is_dir():
        spots = (Spot(str(folder), part=part),)
        return [Finding("folder-missing", "error", part, 1, "no image folder", spots)], []
    lost = set(unfound(records.file_names, folder))
    outside: list[int] = []
    missing: list[int] = []
    there: list[int] = []
    first: dict[str, int] = {}
    twice: list[int] = []
    for index, name in enumerate(records.file_names):
        if not name:
            continue
        if not is_inside(name):
            outside.append(index)
            continue
        if first.setdefault(name, index) != index:
            twice.append(index)
        (missing if index in lost else there).append(index)

    def listing(index: int) -> Spot:
        return records.image_spot(index, f"got {records.file_names[index]!r}")

    text = "file names that lead out of the image folder"
    findings = found("file-name-outside", "error", part, outside, text, listing)
    text = "images whose file does not exist"
    findings += found("file-missing", severity, part, missing, text, records.file_spot)
    text = "files that several entries name"
    findings += found("picture-double", "warning", part, twice, text, listing)
    return findings, there


def check_sizes(records: Records, there: Sequence[int], severity: Severity) -> list[Finding]:
    """Find images whose header could not be read, where the annotations state no size."""
    bad = [index for index in there if np.isnan(records.sizes[index]).any()]
    text = _FAULTS["file-not-image"]
    return found("file-not-image", severity, records.split, bad, text, records.file_spot)


def check_images(
    records: Records, scanned: dict[int, ScannedImage], severity: Severity
) -> list[Finding]:
    """Find faults of the decoded files of a split; ``severity`` as in :func:`check_files`."""
    findings: list[Finding] = []
    for code, text in _FAULTS.items():
        bad = [index for index, each in scanned.items() if each.code == code]
        findings += found(
            code, severity, records.split, bad, text,
            lambda i: records.file_spot(i, scanned[i].message),
        )  # fmt: skip
    turned = [index for index, each in scanned.items() if each.turned]
    text = "images whose EXIF orientation swaps width and height"
    stored = any(scanned[index].turned == "taken as stored" for index in turned)
    findings += found(
        "exif-swaps", "warning" if stored else "note", records.split, turned, text,
        lambda i: records.file_spot(i, scanned[i].turned),
    )  # fmt: skip
    flipped = [index for index, each in scanned.items() if each.flipped]
    text = "images that EXIF mirrors or turns upside down: taken upright"
    return findings + found("exif-flips", "note", records.split, flipped, text, records.file_spot)


def scan_images(
    records: Records,
    there: Sequence[int],
    workers: int,
    progress: bool,
    pixels: ImageOptions = PLAIN,
    tiled: bool = False,
) -> dict[int, ScannedImage]:
    """Decode the images of the indices ``there``, by index, in ``workers`` threads.

    Args:
        records: of a split.
        there: indices of images.
        workers: number of threads.
        progress: show a bar.
        pixels: see :func:`scan_image`.
        tiled: likewise.
    """

    def scan(index: int) -> ScannedImage:
        height, width = records.sizes[index]
        # An unreadable file has no size where none is stated.
        stated = None if np.isnan(height + width) else (int(height), int(width))
        return scan_image(records.images / records.file_names[index], stated, pixels, tiled)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(scan, there)
        bar = tqdm(
            results, f"images of {records.split}", len(there), disable=not progress, leave=False
        )
        return dict(zip(there, bar))


def scan_image(
    path: Path, stated: Size | None, pixels: ImageOptions = PLAIN, tiled: bool = False
) -> ScannedImage:
    """Decode a file as training would, at a fraction of its size where that is faster.

    Args:
        path: of the file.
        stated: height and width that the annotations state.
        pixels: pages, channels and stretch.
        tiled: images are cut into tiles, so that large ones are read in pieces.
    """
    if tiled and _is_large(path):
        return _scan_large(path, stated, pixels)
    try:
        data = read_regular(path, "image file", MAX_BYTES)
    except InputError as error:
        return ScannedImage("file-not-image", str(error).removeprefix(f"{path}: "))
    if not data:
        return ScannedImage("file-empty", "0 bytes")
    if is_cut_short(data):
        return ScannedImage("file-truncated", f"{len(data)} bytes, the end is missing")
    digest = hashlib.blake2b(data, digest_size=16).digest()
    header = read_header(data)
    try:
        image = read_image(path, stated, 8, pixels)
    except InputError as error:
        return ScannedImage(*_fault(path, header, stated, error), digest)
    return _scanned(image, header, stated, digest)


def _is_large(path: Path) -> bool:
    with suppress(InputError):
        size = read_file_header(path).size
        return size is not None and size[0] * size[1] > IN_MEMORY
    return False


def _scan_large(path: Path, stated: Size | None, pixels: ImageOptions) -> ScannedImage:
    """Decode a file piece by piece."""
    header, hashed = read_file_header(path), hashlib.blake2b(digest_size=16)
    with open_regular(path, "image file", MAX_FILE) as (file, _):
        while piece := file.read(1 << 24):
            hashed.update(piece)
    try:
        image, _ = overview(open_image(path, stated, pixels), 1 << 20)
    except InputError as error:
        return ScannedImage(*_fault(path, header, stated, error), hashed.digest())
    return _scanned(image, header, stated, hashed.digest())


def _scanned(image: Image, header: ImageHeader, stated: Size | None, digest: bytes) -> ScannedImage:
    small = cv2.resize(image, GREY[::-1], interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return ScannedImage(
        digest=digest,
        grey=grey if grey.std() >= _FLAT else None,
        turned=_turned(header, stated) if header.orientation in SWAPPED else "",
        flipped=header.orientation in FLIPPED,
    )


def _fault(
    path: Path, header: ImageHeader, stated: Size | None, error: InputError
) -> tuple[str, str]:
    if isinstance(error, DamagedImageError):
        return "file-damaged", "data are missing in it, its lower end is grey"
    if stated and header.upright and stated not in (header.size, header.upright):
        height, width = header.upright
        return "size-differs", (
            f"{width} x {height} pixels (width x height), stated {stated[1]} x {stated[0]}"
        )
    return "file-not-image", str(error).removeprefix(f"{path}: ")


def _turned(header: ImageHeader, stated: Size | None) -> str:
    """How a file is taken whose sides EXIF swaps."""
    stored = stated == header.size != header.upright
    return "taken as stored" if stored else "taken upright"
