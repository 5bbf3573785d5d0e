"""JPEG files in which data are missing, and whole ones that look as if."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from otadet.data.image_file import DamagedImageError, decode_image, read_image
from otadet.errors import InputError

Pixels = npt.NDArray[np.uint8]
CODINGS: dict[str, dict[str, Any]] = {
    "4:2:0": {}, "4:2:2": {"subsampling": 1}, "4:4:4": {"subsampling": 0},
    "optimised": {"optimize": True}, "restarts": {"restart_marker_rows": 1},
    "short restarts": {"restart_marker_blocks": 3}, "grey": {"grey": True},
    "turned": {"orientation": 6},
}  # fmt: skip


def photo(height: int = 300, width: int = 400) -> Pixels:
    """Coarse and fine structure, as a camera's noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return (image + rng.integers(-12, 12, image.shape)).clip(0, 255).astype(np.uint8)


def framed(value: int) -> Pixels:
    """The photo between bars of one grey above and below, as a letterbox leaves it."""
    image = np.full((400, 400, 3), value, np.uint8)
    image[50:350] = photo()
    return image


def encoded(
    pixels: Pixels, grey: bool = False, orientation: int = 1, quality: int = 88, **options: Any
) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert("L") if grey else image).save(out, "JPEG", quality=quality, exif=exif, **options)
    return out.getvalue()


def without(data: bytes, start: float, share: float) -> bytes:
    """The file without a share of its bytes from a place on."""
    first = int(start * len(data))
    return data[:first] + data[first + int(share * len(data)) :]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("start", [0.3, 0.5])
@pytest.mark.parametrize("reduce", [1, 8])
def test_a_piece_cut_out_is_damage(tmp_path: Path, coding: str, start: float, reduce: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(without(encoded(photo(), **CODINGS[coding]), start, 0.3))
    size = (400, 300) if coding == "turned" else (300, 400)
    with pytest.raises(DamagedImageError, match=r"a\.jpg: image file is damaged: data are miss"):
        read_image(path, size, reduce)


@pytest.mark.parametrize("value", [0, 114, 128, 255])
def test_bars_hide_no_damage(value: int) -> None:
    """The bytes that are left end in blocks that are all alike."""
    for start in (0.3, 0.4, 0.5):
        with pytest.raises(DamagedImageError):
            decode_image(without(encoded(framed(value)), start, 0.3), "a")


def test_an_end_behind_half_of_the_data_is_damage() -> None:
    """Such as programs add to what they got of a file."""
    for options in ({}, {"progressive": True}):
        data = encoded(photo(), **options)
        first_scan = data.index(b"\xff\xda")
        cut = data[: first_scan + (600 if options else len(data) // 3)]
        with pytest.raises(DamagedImageError):
            decode_image(cut + b"\xff\xd9", "a")


def flat(value: int) -> Pixels:
    return np.full((123, 77, 3), value, np.uint8)


def speckled() -> Pixels:
    """Nearly the decoder's grey."""
    image = photo()
    image[150:] = 128 + np.random.default_rng(1).integers(-1, 2, image[150:].shape)
    return image


def beside(value: int) -> Pixels:
    """Bars at the left and right, and white above the last corner."""
    image = photo()
    image[:, :100] = image[:, 300:] = value
    image[:250, 300:] = 255
    return image


WHOLE = {
    "bars of 114": lambda: framed(114), "bars of 128": lambda: framed(128),
    "flat 128": lambda: flat(128), "flat 114": lambda: flat(114), "speckled": speckled,
    "beside": lambda: beside(128), "corner": lambda: np.pad(photo(), ((0, 9), (0, 9), (0, 0)),
                                                            constant_values=128),
    "small": lambda: flat(128)[:3, :5],
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("coding", [*CODINGS, "progressive"])
@pytest.mark.parametrize("quality", [40, 75, 100])
def test_whole_images_that_end_in_grey_are_read(
    tmp_path: Path, name: str, coding: str, quality: int
) -> None:
    pixels = WHOLE[name]()
    options = CODINGS.get(coding, {"progressive": True})
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(pixels, quality=quality, **options))
    turned = coding == "turned"
    assert read_image(path).shape[:2] == (pixels.shape[:2][::-1] if turned else pixels.shape[:2])
    read_image(path, reduce=8)


def test_padding_is_decoded_once(capfd: pytest.CaptureFixture[str]) -> None:
    """A second decoding would write a line to the standard error for every image of a set."""
    for coding in CODINGS.keys() - {"short restarts"}:
        image = decode_image(encoded(framed(128), **CODINGS[coding]), "a")
        assert image.shape == (400, 400, 3)
    assert capfd.readouterr().err == ""


def test_what_cannot_be_seen() -> None:
    """Limits that the documentation states."""
    data = encoded(photo(), progressive=True)
    assert decode_image(without(data, 0.4, 0.1), "a").shape == (300, 400, 3)
    data = encoded(photo(), subsampling=0)
    middle = len(data) // 2
    overwritten = data[:middle] + bytes(500) + data[middle + 500 :]
    assert decode_image(overwritten, "a").shape == (300, 400, 3)


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "AVIF", "GIF", "JPEG2000", "TIFF", "BMP"])
@pytest.mark.parametrize("lossless", [False, True])
def test_other_formats_with_a_piece_cut_out_are_refused(kind: str, lossless: bool) -> None:
    out = io.BytesIO()
    Image.fromarray(photo()).save(out, kind, lossless=lossless)
    data = without(out.getvalue(), 0.4, 0.2)
    if kind == "WEBP":  # with the length that is left, so that nothing looks cut short
        data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    with pytest.raises(InputError, match="not a readable image"):
        decode_image(data, "a")
