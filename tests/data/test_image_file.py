"""Image files of every kind, and files that are no whole image."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from otadet.data.image_file import (
    IMAGE_ENDINGS,
    UNREAD_ENDINGS,
    WRITTEN_ENDINGS,
    decode_image,
    left_out,
    read_image,
    read_size,
    write_image,
)
from otadet.data.image_header import read_header
from otadet.errors import InputError

RGB = np.zeros((6, 10, 3), np.uint8)
RGB[:3, :5] = (200, 30, 60)  # a corner that tells where up and left are
RGB[3:] = (10, 120, 250)


def encoded(pixels: npt.NDArray[np.generic], suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def jpeg(thumbnail: bool = False) -> bytes:
    """A photo-like JPEG of 60 x 40 (width x height)."""
    rng = np.random.default_rng(0)
    pixels = cv2.resize(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8), (60, 40))
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    data = out.getvalue()
    if thumbnail:  # an APP1 segment that holds a whole small JPEG, as cameras write it
        small = io.BytesIO()
        image.resize((6, 4)).save(small, "JPEG")
        body = b"Exif\0\0" + small.getvalue()
        segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
        data = data[:2] + segment + data[2:]
    return data


def test_colours_are_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_image(path, RGB)
    assert np.array_equal(read_image(path), RGB)
    assert read_size(path) == (6, 10)


def test_other_depths_and_channels_become_rgb(tmp_path: Path) -> None:
    bgr = RGB[..., ::-1]
    grey = RGB[..., 0]
    files = {
        "alpha.png": (np.dstack([bgr, np.full((6, 10), 7, np.uint8)]), RGB),
        "grey.png": (grey, np.repeat(grey[..., None], 3, 2)),
        "deep.png": (bgr.astype(np.uint16) * 256, RGB),
        "deep_grey.png": (grey.astype(np.uint16) * 256, np.repeat(grey[..., None], 3, 2)),
        "deep.tiff": (bgr.astype(np.uint16) * 256, RGB),
        "plain.bmp": (bgr, RGB),
    }
    for name, (pixels, expected) in files.items():
        path = tmp_path / name
        path.write_bytes(encoded(pixels, path.suffix))
        image = read_image(path, (6, 10))
        assert image.dtype == np.uint8, name
        difference = np.abs(image.astype(int) - expected).max()
        assert difference <= (1 if "deep" in name else 0), name  # OpenCV rounds 16 bits its ways
        assert read_size(path) == (6, 10), name


def test_another_size_is_an_error_that_names_both(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    for size in ((60, 40), (41, 60)):
        with pytest.raises(InputError) as caught:
            read_image(path, size)
        assert "a.jpg" in str(caught.value)
        assert "60 x 40" in str(caught.value)
        assert f"{size[1]} x {size[0]}" in str(caught.value)


@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_jpeg_cut_anywhere_is_truncated(tmp_path: Path, thumbnail: bool) -> None:
    data = jpeg(thumbnail=thumbnail)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data)
    assert read_image(path).shape == (40, 60, 3)
    assert read_size(path) == (40, 60)
    for length in [*range(3, len(data) - 1, 23), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"cut\.jpg: image file is truncated"):
            read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_other_formats_cut_anywhere(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    data = encoded(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8), suffix)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data)
    assert read_image(path).shape == (20, 30, 3)
    for length in range(16, len(data) - 8, 41):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match="truncated"):
            read_image(path)


def test_bytes_after_the_end_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg() + b"\0" * 5000)
    assert read_image(path).shape == (40, 60, 3)


def test_files_that_are_no_image(tmp_path: Path) -> None:
    cases = {"text.jpg": b"not an image at all", "empty.jpg": b"", "magic.bmp": b"BM" + bytes(60)}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.jpg").mkdir()
    for name in [*cases, "folder.jpg", "nothing.jpg"]:
        for read in (read_image, read_size):
            with pytest.raises(InputError) as caught:
                read(tmp_path / name)
            assert name in str(caught.value)
            assert "\n" not in str(caught.value)


def test_an_unknown_ending_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'\.xyz'"):
        write_image(tmp_path / "a.xyz", RGB)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("largest", "shift"),
    [(200, 0), (255, 0), (256, 2), (900, 2), (1023, 2), (1024, 4), (4095, 4), (16383, 6),
     (16384, 8), (65535, 8)],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_keep_the_upper_eight_in_use(
    tmp_path: Path, largest: int, shift: int, suffix: str
) -> None:
    """A camera's 10, 12 or 14 bits in a file of 16."""
    rng = np.random.default_rng(0)
    path = tmp_path / f"deep{suffix}"
    for shape in ((6, 10), (6, 10, 3)):
        pixels = rng.integers(0, largest, shape, dtype=np.uint16)
        pixels[2, 3] = largest
        path.write_bytes(encoded(pixels, suffix))
        expected = pixels[..., None].repeat(3, 2) if len(shape) == 2 else pixels[..., ::-1]
        assert np.array_equal(read_image(path, (6, 10)), expected >> shift)


def test_one_hot_pixel_decides_no_more_than_the_depth(tmp_path: Path) -> None:
    """Images of one 12-bit camera look alike, whatever their brightest pixel is."""
    path = tmp_path / "deep.png"
    seen = []
    for brightest in (1100, 2500, 4095):
        pixels = np.full((6, 10), 1000, np.uint16)
        pixels[0, 0] = brightest
        path.write_bytes(encoded(pixels, ".png"))
        seen.append(int(read_image(path)[3, 3, 0]))
    assert seen == [1000 >> 4] * 3


def test_palettes_and_transparency(tmp_path: Path) -> None:
    original = Image.fromarray(RGB)
    palette = original.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    palette.save(tmp_path / "palette.png")
    palette.save(tmp_path / "clear.png", transparency=0)
    palette.save(tmp_path / "palette.bmp")
    original.convert("L").convert("LA").save(tmp_path / "grey_alpha.png")
    Image.fromarray(RGB[..., 0] > 100).save(tmp_path / "bits.png")
    for name in ("palette.png", "clear.png", "palette.bmp"):
        assert np.array_equal(read_image(tmp_path / name, (6, 10)), RGB), name
    grey = np.asarray(original.convert("L"))
    assert np.array_equal(read_image(tmp_path / "grey_alpha.png"), grey[..., None].repeat(3, 2))
    bits = np.where(RGB[..., :1] > 100, 255, 0).repeat(3, 2)
    assert np.array_equal(read_image(tmp_path / "bits.png"), bits)


def test_sixteen_bits_with_alpha(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    bgra = np.dstack([RGB[..., ::-1], np.full((6, 10), 7, np.uint8)]).astype(np.uint16) * 257
    path.write_bytes(encoded(bgra, ".png"))
    assert np.array_equal(read_image(path), RGB)


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.tiff"
    path.write_bytes(encoded(RGB[..., 0].astype(np.float32), ".tiff"))
    with pytest.raises(
        InputError, match=r"float\.tiff: expected pixels of 8 .*got 32 bits"
    ) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_sizes_are_compared_before_pixels_are_decoded(tmp_path: Path) -> None:
    """The body is no image at all: nothing but the header can have been looked at."""
    data = encoded(RGB, ".png")
    header = data[:16] + struct.pack(">II", 30_000, 20_000) + data[24:33]
    path = tmp_path / "vast.png"
    path.write_bytes(header + b"no pixels" + b"IEND")
    with pytest.raises(InputError, match=r"the image is 30000 x 20000 .*annotation says 10 x 6"):
        read_image(path, size=(6, 10))
    vast = r"vast.png: expected at most 268,435,456 pixels, got 30000 x 20000; tile=640 reads it"
    for size in (None, (20_000, 30_000)):
        with pytest.raises(InputError, match=vast):
            read_image(path, size=size)
    with pytest.raises(InputError, match=vast):
        decode_image(path.read_bytes(), "vast.png")


PILLOW = {".jpe": "JPEG", ".jfif": "JPEG", ".gif": "GIF", ".avif": "AVIF", ".jp2": "JPEG2000",
          ".ppm": "PPM", ".pgm": "PPM"}  # fmt: skip


@pytest.mark.parametrize("ending", IMAGE_ENDINGS)
def test_every_ending_is_read(tmp_path: Path, ending: str) -> None:
    """Files of Pillow, or of OpenCV for those that this package writes."""
    stored = np.repeat(RGB[..., :1], 3, 2) if ending == ".pgm" else RGB
    pixels = cv2.resize(stored, (60, 36), interpolation=cv2.INTER_NEAREST)
    path = tmp_path / f"a{ending.upper()}"
    if ending in WRITTEN_ENDINGS:
        write_image(path, pixels)
    else:
        image = Image.fromarray(pixels)
        (image.convert("L") if ending == ".pgm" else image).save(path, PILLOW[ending])
    assert read_size(path) == (36, 60)
    read = read_image(path, (36, 60))
    assert np.abs(read.astype(int) - pixels).mean() < 4
    with pytest.raises(InputError, match="the image is 60 x 36"):
        read_image(path, (60, 36))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, kind: str) -> None:
    first, *others = (Image.new("RGB", (60, 40), (value,) * 3) for value in (30, 120, 200))
    path = tmp_path / f"a.{kind.lower()}"
    first.save(path, kind, save_all=True, append_images=others)
    assert np.abs(read_image(path, (40, 60)).astype(int) - 30).max() <= 2


@pytest.mark.parametrize("kind", ["lossy", "lossless", "alpha", "animation"])
def test_webp_states_its_size(tmp_path: Path, kind: str) -> None:
    image = Image.new("RGBA" if kind == "alpha" else "RGB", (301, 40), (200, 30, 60))
    more = {"save_all": True, "append_images": [image]} if kind == "animation" else {}
    path = tmp_path / "a.webp"
    image.save(path, lossless=kind == "lossless", **more)
    assert read_header(path.read_bytes()).size == (40, 301) == read_size(path)
    assert all(read_header(path.read_bytes()[:length]).size is None for length in range(30))


def test_ten_bits_of_avif(tmp_path: Path) -> None:
    deep = np.full((40, 60, 3), (100, 800, 1020), np.uint16)
    options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    path = tmp_path / "deep.avif"
    path.write_bytes(cv2.imencode(".avif", deep, options)[1].tobytes())
    assert read_image(path, (40, 60))[20, 30].tolist() == [255, 200, 25]


def test_files_that_are_not_read_are_named() -> None:
    assert not UNREAD_ENDINGS & set(IMAGE_ENDINGS)
    assert left_out(["a.HEIC", "b.heic", "c.svg", "d.jpg", "e.txt"]) == "2 .heic files, 1 .svg file"
    assert left_out(["d.jpg", ".heic"]) == ""
