"""One picture file, opened: whether it is whole, what it shows in short, and which bytes it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from otadet.data.image_file import (
    FLIPPED,
    SWAPPED,
    exif_orientation,
    is_cut_short,
    read_image,
    read_size,
)
from otadet.doctor.draft import Draft
from otadet.errors import InputError
from otadet.geometry import Size

GREY = (16, 17)
"""Height and width of the small grey version; neighbours are compared along the rows."""

_FLAT = 2.0  # grey levels: less spread than that shows nothing that could be recognised


@dataclass(frozen=True)
class Looked:
    """What a file is.

    Attributes:
        code: of the finding about it, or empty.
        message: what is wrong.
        digest: of its bytes.
        grey: small grey version, uint8 ``GREY``; ``None`` where it cannot be read or shows
            nothing.
        turned: how EXIF swaps its sides: empty, ``taken upright`` (the annotations state the
            upright size) or ``taken as stored``.
        flipped: whether EXIF mirrors it or turns it upside down; no size can show whether
            annotations with stated sizes follow.
    """

    code: str = ""
    message: str = ""
    digest: bytes = b""
    grey: npt.NDArray[np.uint8] | None = None
    turned: str = ""
    flipped: bool = False


def look_at_all(
    draft: Draft, there: Sequence[int], workers: int, progress: bool
) -> dict[int, Looked]:
    """Every picture of ``there``, by index; decoding runs in ``workers`` threads."""

    def look(index: int) -> Looked:
        height, width = draft.sizes[index]
        # An unreadable file has no size where none is stated.
        stated = None if np.isnan(height + width) else (int(height), int(width))
        return look_at(draft.images / draft.file_names[index], stated, draft.upright)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(look, there)
        bar = tqdm(
            results, f"pictures of {draft.part}", len(there), disable=not progress, leave=False
        )
        return dict(zip(there, bar))


def look_at(path: Path, stated: Size | None, upright: bool) -> Looked:
    """Open a file as training would, at a fraction of its size where that is faster; ``upright`` as
    in :func:`~otadet.data.image_file.read_image`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Looked("file-not-image", f"cannot be read ({error.strerror})")
    if not data:
        return Looked("file-empty", "0 bytes")
    if is_cut_short(data):
        return Looked("file-truncated", f"{len(data)} bytes, the end is missing")
    digest = hashlib.blake2b(data, digest_size=16).digest()
    try:
        image = read_image(path, stated, upright, reduce=8)
    except InputError as error:
        return Looked(*_fault(path, stated, str(error)), digest)
    small = cv2.resize(image, GREY[::-1], interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    orientation = exif_orientation(data)
    return Looked(
        digest=digest,
        grey=grey if grey.std() >= _FLAT else None,
        turned=_turned(path, stated, upright) if orientation in SWAPPED else "",
        flipped=orientation in FLIPPED,
    )


def _fault(path: Path, stated: Size | None, message: str) -> tuple[str, str]:
    try:
        stored = read_size(path)
        if stated is not None and stored != stated:
            return "size-differs", (
                f"{stored[1]} x {stored[0]} pixels (width x height), stated {stated[1]} x "
                f"{stated[0]}"
            )
    except InputError:
        pass
    return "file-not-image", message.removeprefix(f"{path}: ")


def _turned(path: Path, stated: Size | None, upright: bool) -> str:
    """How a file is taken whose sides EXIF swaps."""
    stored = stated is None or (not upright and read_size(path) == stated)
    return "taken as stored" if stored else "taken upright"
