"""Images and EXIF, changed a little: headers and pixels are read, or refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from otadet.data import read_image
from otadet.data.exif import orientation_of, tiff_tags
from otadet.data.image_file import read_size
from otadet.data.image_header import is_cut_short, read_header
from otadet.data.image_options import ImageOptions
from otadet.data.raster import RasterImage
from otadet.doctor.check_images import scan_image
from otadet.errors import InputError
from tests.data.rasters import needs_rasterio, write_tiff
from tests.fuzz.mutations import changed_bytes
from tests.fuzz.oracle import fuzz, watched

pytestmark = pytest.mark.fuzz

_PILLOW = {
    "jpg": {"quality": 60}, "png": {}, "webp": {}, "tif": {"compression": "tiff_lzw"},
    "gif": {}, "jp2": {}, "avif": {}, "bmp": {}, "ppm": {},
}  # fmt: skip


class _File(NamedTuple):
    ending: str
    data: bytes


def _examples(folder: Path) -> list[_File]:
    """An image of each format, with EXIF where it has any, and some of 16 bits."""
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    for ending, words in _PILLOW.items():
        more = {} if ending in ("bmp", "ppm", "gif", "jp2") else {"exif": exif}
        Image.fromarray(pixels).save(folder / f"example.{ending}", **words, **more)
    for ending in ("png", "tif", "jp2"):
        cv2.imwrite(str(folder / f"deep.{ending}"), pixels.astype(np.uint16) * 200)
    Image.fromarray(pixels).save(folder / "late.jpg", progressive=True, comment=b"c" * 65_000)
    return [_File(path.suffix, path.read_bytes()) for path in sorted(folder.iterdir())]


@st.composite
def _files(draw: DrawFn, examples: list[_File]) -> _File:
    ending, data = draw(st.sampled_from(examples))
    changed = draw(changed_bytes(data[:4000])) + data[4000:]
    return _File(draw(st.sampled_from([ending] * 9 + [".jpg"])), changed)


def test_images(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    examples = _examples(tmp_path / "examples")
    folder = tmp_path / "folder"
    folder.mkdir()

    def check(file: _File) -> None:
        path = folder / f"image{file.ending}"
        path.write_bytes(file.data)
        with watched(folder, tmp_path / "none"):
            header = read_header(file.data)
            assert header.orientation in range(1, 9), header
            is_cut_short(file.data)
            scan_image(path, None)
            for read in (read_image, read_size):
                with suppress(InputError):
                    read(path)
            for reduce in (2, 4):
                with suppress(InputError):
                    read_image(path, reduce=reduce)

    fuzz(_files(examples), check, examples[0])


@st.composite
def _tiffs(draw: DrawFn) -> bytes:
    exif = Image.Exif()
    for tag in draw(
        st.lists(st.sampled_from([0x0112, 0x0100, 0x0101, 0x010E, 0x0131]), max_size=5)
    ):
        exif[tag] = draw(st.integers(0, 9)) if tag < 0x0113 and tag != 0x010E else "text"
    return draw(changed_bytes(exif.tobytes()[6:]))


def test_exif(tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        with watched(tmp_path, tmp_path / "none"):
            tiff_tags(data)
            assert orientation_of(data) in range(1, 9)

    fuzz(_tiffs(), check, b"")


def _rasters(folder: Path) -> list[_File]:
    """TIFF files that OpenCV alone does not read: pages, floats, five channels, a palette."""
    pixels = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)
    pages = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].quantize(16).save(folder / "palette.tif")
    Image.fromarray(pixels[..., 0].astype(np.float32)).save(folder / "float.tif")
    for kind in ("uint8", "int16", "float64"):
        write_tiff(folder / f"{kind}.tif", pixels[..., [0, 1, 2, 0, 1]].astype(kind))
    return [_File(path.suffix, path.read_bytes()) for path in sorted(folder.iterdir())]


_OPTIONS = st.builds(
    ImageOptions,
    pages=st.sampled_from([(0,), (1,), (0, 1)]),
    channels=st.sampled_from([None, (0,), (0, 1, 2), (4,)]),
    stretch=st.sampled_from([None, (1.0, 99.0)]),
)


@needs_rasterio
def test_rasters(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    examples = _rasters(tmp_path / "examples")
    folder = tmp_path / "folder"
    folder.mkdir()

    def check(case: tuple[_File, ImageOptions]) -> None:
        file, options = case
        path = folder / f"image{file.ending}"
        path.write_bytes(file.data)
        with watched(folder, tmp_path / "none"):
            with suppress(InputError):
                read_image(path, options=options)
            with suppress(InputError):
                image = RasterImage(path, options)
                height, width = image.size
                part = image.read((0, 0, min(width, 16), min(height, 8)))
                assert part.shape == (min(height, 8), min(width, 16), 3), part.shape

    fuzz(st.tuples(_files(examples), _OPTIONS), check, (examples[0], ImageOptions()))
