"""Which way up an image is: one rule for all kinds of files, against Pillow."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from otadet.data.exif import INVERSE, SWAPPED, oriented
from otadet.data.image_file import decode_image, read_file_header, read_image, read_size
from otadet.data.image_header import PNG, read_header
from otadet.errors import InputError

KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {},
    "AVIF": {"quality": 95},
}  # fmt: skip
Pixels = npt.NDArray[np.uint8]


def photo(height: int = 40, width: int = 60) -> Pixels:
    """Colours of which no two corners are alike."""
    coarse = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def encoded(kind: str, orientation: int, pixels: Pixels) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, exif=exif, **KINDS[kind])
    return out.getvalue()


def alike(first: Pixels, second: Pixels) -> bool:
    return first.shape == second.shape and bool(np.abs(first.astype(int) - second).mean() < 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(40, 60), (48, 48)])
def test_images_are_upright_unless_the_stored_size_is_stated(
    tmp_path: Path, kind: str, orientation: int, shape: tuple[int, int]
) -> None:
    stored = photo(*shape)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(kind, orientation, stored))
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert alike(oriented(stored, orientation), upright)
    assert orientation == 1 or not alike(stored, upright)
    assert read_size(path) == upright.shape[:2]
    assert read_file_header(path).orientation == orientation

    assert alike(read_image(path), upright)
    assert alike(decode_image(path.read_bytes(), "a"), upright)
    assert alike(read_image(path, upright.shape[:2]), upright)
    square = shape[0] == shape[1]
    as_stated = stored if orientation in SWAPPED and not square else upright
    assert alike(read_image(path, shape), as_stated)
    with pytest.raises(InputError, match="its annotation says 61 x 40"):
        read_image(path, (40, 61))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("shape", [(40, 61), (48, 48)])
def test_reduced_images_are_the_same_way_up(
    tmp_path: Path, orientation: int, factor: int, shape: tuple[int, int]
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded("JPEG", orientation, photo(*shape)))
    for size in (None, shape, read_size(path)):
        whole, small = read_image(path, size), read_image(path, size, reduce=factor)
        height, width = whole.shape[:2]
        assert small.shape[:2] == (-(-height // factor), -(-width // factor))
        again = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        assert np.abs(again.astype(int) - whole).mean() < 2.5 * factor
        mirrored = cv2.flip(again, -1)
        assert np.abs(mirrored.astype(int) - whole).mean() > 2.5 * factor
    with pytest.raises(InputError, match="its annotation says 62 x 40"):
        read_image(path, (40, 62), reduce=factor)


def test_an_orientation_is_undone_by_its_inverse() -> None:
    for orientation, inverse in INVERSE.items():
        turned = oriented(photo(), orientation)
        assert np.array_equal(oriented(turned, inverse), photo())
        assert turned.flags["C_CONTIGUOUS"]


def test_exif_that_is_cut_or_nonsense_turns_nothing(tmp_path: Path) -> None:
    data = encoded("JPEG", 6, photo())
    path = tmp_path / "a.jpg"
    place = data.index(b"Exif\0\0") + 6
    for at in range(place, place + 26):
        path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
        assert read_image(path).shape[:2] == read_size(path) in ((40, 60), (60, 40))
    path.write_bytes(data.replace(b"Exif\0\0", b"Exit\0\0"))
    assert read_size(path) == (40, 60) == read_image(path).shape[:2]


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def long_jpeg() -> bytes:
    """EXIF behind 120 KB of a colour profile."""
    data = encoded("JPEG", 6, photo())
    profile = b"".join(_segment(0xE2, b"ICC_PROFILE\0" + bytes(60_000)) for _ in range(2))
    return data[:2] + profile + data[2:]


def second_exif() -> bytes:
    """XMP in front and another EXIF block behind: the first block counts."""
    data = encoded("JPEG", 6, photo())
    other = encoded("JPEG", 1, photo())
    block = other[other.index(b"\xff\xe1") :]
    block = block[: 2 + int.from_bytes(block[2:4], "big")]
    at = data.index(b"\xff\xdb")
    xmp = _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")
    return data[:2] + xmp + data[2:at] + block + data[at:]


def late_png() -> bytes:
    """EXIF behind the pixels, and so many of these that it is far from the beginning."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    data = encoded("PNG", 6, noise)
    at = data.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    assert data.startswith(PNG) and len(data) > 1 << 17
    return data[:at] + data[end:-12] + data[at:end] + data[-12:]


def prefixed_webp() -> bytes:
    """EXIF that begins as in JPEG, as some programs write it."""
    data = encoded("WEBP", 6, photo())
    at = data.index(b"EXIF")
    exif = b"Exif\0\0" + data[at + 8 :]
    data = data[:at] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@pytest.mark.parametrize("make", [long_jpeg, second_exif, late_png, prefixed_webp])
def test_exif_in_other_places(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "a"
    path.write_bytes(make())
    with Image.open(path) as image:
        stored, size = image.size[::-1], image.size
        assert image.getexif()[0x0112] == 6
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert read_size(path) == size
    assert alike(read_image(path), expected) and alike(read_image(path, size), expected)
    assert alike(read_image(path, stored), np.rot90(expected))


def test_avif_with_parts_of_other_sizes_states_the_largest() -> None:
    """Tiles and thumbnails have sizes of their own."""
    data = encoded("AVIF", 8, photo(256, 128))
    at = data.index(b"ispe") - 4
    small = bytearray(data[at : at + 20])
    small[12:20] = struct.pack(">II", 16, 32)
    for both in (data[:at] + small + data[at:], data[: at + 20] + small + data[at + 20 :]):
        header = read_header(both)
        assert (header.size, header.orientation) == ((256, 128), 8)
