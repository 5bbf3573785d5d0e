"""Image files of every kind, and files that are no whole image."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from otadet.data.image_file import decode_image, read_image, read_size, write_image
from otadet.errors import InputError

RGB = np.zeros((6, 10, 3), np.uint8)
RGB[:3, :5] = (200, 30, 60)  # a corner that tells where up and left are
RGB[3:] = (10, 120, 250)


def encoded(pixels: npt.NDArray[np.generic], suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def jpeg(orientation: int | None = None, thumbnail: bool = False) -> bytes:
    """A photo-like JPEG of 60 x 40 (width x height), with EXIF where asked for."""
    rng = np.random.default_rng(0)
    pixels = cv2.resize(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8), (60, 40))
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, exif=exif)
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


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_stored_pixels_are_taken_where_they_have_the_stated_size(
    tmp_path: Path, orientation: int | None
) -> None:
    plain, path = tmp_path / "plain.jpg", tmp_path / "turned.jpg"
    plain.write_bytes(jpeg())
    path.write_bytes(jpeg(orientation))
    expected = read_image(plain)
    assert expected.shape == (40, 60, 3)
    assert np.array_equal(read_image(path, (40, 60)), expected)
    assert np.array_equal(read_image(path), expected)
    assert read_size(path) == (40, 60)
    assert read_size(path, upright=True) == ((60, 40) if orientation in (6, 8) else (40, 60))


def test_exif_that_is_cut_or_nonsense_turns_nothing(tmp_path: Path) -> None:
    data = jpeg(6)
    path = tmp_path / "a.jpg"
    place = data.index(b"Exif\0\0") + 6
    for at in range(place, place + 26):
        path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
        assert read_size(path, upright=True) in ((40, 60), (60, 40))
    path.write_bytes(data.replace(b"Exif\0\0", b"Exit\0\0"))
    assert read_size(path, upright=True) == (40, 60)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_exif_says(tmp_path: Path, kind: str, orientation: int) -> None:
    """As Pillow turns and mirrors it, with and without a stated size, and at half the size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.open(io.BytesIO(jpeg())).convert("RGB")
    path = tmp_path / f"a.{kind.lower()}"
    stored.save(path, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    size = expected.shape[:2]
    assert read_size(path, upright=True) == size
    for image in (read_image(path, upright=True), read_image(path, size, upright=True)):
        assert image.shape == expected.shape and np.abs(image - expected).mean() < 1
    half = read_image(path, size, upright=True, reduce=2)
    whole = (size[0] // 2, size[1] // 2) if kind == "JPEG" else size
    assert half.shape[:2] == whole
    near = cv2.resize(expected.astype(np.uint8), whole[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(half.astype(int) - near).mean() < 3
    with pytest.raises(InputError, match="its annotation says 61 x 40"):
        read_image(path, (40, 61), upright=True)


@pytest.mark.parametrize(("orientation", "turns"), [(6, -1), (8, 1)])
def test_an_upright_annotation_turns_the_image(
    tmp_path: Path, orientation: int, turns: int
) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg(orientation))
    upright = read_image(path, (60, 40))
    assert np.array_equal(upright, np.rot90(read_image(path, (40, 60)), turns))


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
    with pytest.raises(InputError, match=r"float\.tiff: not a readable image") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("orientation", [None, 3, 6])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_reduced_decoding(tmp_path: Path, factor: int, orientation: int | None) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(orientation))
    whole = read_image(path, (40, 60))
    small = read_image(path, (40, 60), reduce=factor)
    assert small.shape == (40 // factor, -(-60 // factor), 3)
    wide = 60 // factor * factor  # the last column may be a part of a block
    expected = cv2.resize(
        whole[:, :wide], (wide // factor, 40 // factor), interpolation=cv2.INTER_AREA
    )
    assert np.abs(small[:, : wide // factor].astype(int) - expected).mean() < 4
    if orientation == 6:  # upright annotations: whole and turned
        assert read_image(path, (60, 40), reduce=factor).shape == (60, 40, 3)
    with pytest.raises(InputError, match="60 x 40"):
        read_image(path, (41, 60), reduce=factor)


def test_sizes_are_compared_before_pixels_are_decoded(tmp_path: Path) -> None:
    """The body is no image at all: nothing but the header can have been looked at."""
    data = encoded(RGB, ".png")
    header = data[:16] + struct.pack(">II", 30_000, 20_000) + data[24:33]
    path = tmp_path / "vast.png"
    path.write_bytes(header + b"no pixels" + b"IEND")
    with pytest.raises(InputError, match=r"the image is 30000 x 20000 .*annotation says 10 x 6"):
        read_image(path, size=(6, 10))
    vast = r"vast.png: expected at most 268,435,456 pixels, got 30000 x 20000; cut it into tiles"
    for size in (None, (20_000, 30_000)):
        with pytest.raises(InputError, match=vast):
            read_image(path, size=size)
    with pytest.raises(InputError, match=vast):
        decode_image(path.read_bytes(), "vast.png")
