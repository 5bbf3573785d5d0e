"""Images that are read window by window: the same pixels as of the whole image."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from otadet.data import (
    CocoDataset,
    FileDataset,
    TiledDataset,
    as_array,
    free_space,
    open_image,
    overview,
    windowed_image,
    write_image,
)
from otadet.data.decoded_file import DecodedImage, decoded
from otadet.data.exif import oriented
from otadet.data.image_file import read_image
from otadet.data.image_options import PLAIN
from otadet.data.raster import RasterImage
from otadet.data.windowed_image import ArrayImage, UprightImage, strips
from otadet.errors import InputError
from otadet.tiling import Tiling
from otadet.types import Sample
from tests.data.rasters import needs_rasterio, noise, write_tiff
from tests.data.test_tiles import dataset

BOXES = [(0, 0, 5, 4), (3, 2, 11, 7), (10, 0, 11, 7), (0, 0, 11, 7)]


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image is a large one."""
    monkeypatch.setattr("otadet.data.large_image.IN_MEMORY", 100)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_windows_are_turned_as_the_whole_image_is(orientation: int) -> None:
    swapped = orientation > 4
    stored = noise(11, 7) if swapped else noise(7, 11)
    image, whole = UprightImage(ArrayImage(stored), orientation), oriented(stored, orientation)
    assert image.size == whole.shape[:2] == (7, 11)
    for left, top, right, bottom in BOXES:
        window = image.read((left, top, right, bottom))
        assert np.array_equal(window, whole[top:bottom, left:right])


def test_an_overview_is_the_mean_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(61, 47)
    stored = UprightImage(ArrayImage(pixels), 1)  # not in memory, as far as it says
    monkeypatch.setattr(windowed_image, "STRIP_PIXELS", 47 * 7)
    small, factor = overview(stored, 61 * 47 // 9)
    assert factor == 4 and small.shape == (15, 11, 3)
    means = pixels[:60, :44].reshape(15, 4, 11, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.5
    assert overview(stored)[1] == overview(ArrayImage(pixels), 10)[1] == 1
    covered = np.zeros(61, int)
    for _, top, _, bottom in strips((61, 47), 4):
        covered[top:bottom] += 1
        assert top % 4 == 0
    assert (covered == 1).all()


TIFFS = {
    "tiles": ({"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}, 3),
    "strips": ({"compress": "lzw", "blockysize": 5}, 3),
    "planes": ({"interleave": "band", "compress": "deflate"}, 3),
    "plain": ({}, 3),
    "big": ({"BIGTIFF": "YES"}, 3),
    "grey": ({}, 1),
    "alpha": ({"photometric": "rgb", "alpha": "no"}, 4),
}  # fmt: skip


@needs_rasterio
@pytest.mark.parametrize("kind", TIFFS)
def test_windows_of_a_tiff_file_are_those_of_the_whole(kind: str, tmp_path: Path) -> None:
    how, channels = TIFFS[kind]
    path = write_tiff(tmp_path / "a.tif", noise(40, 50, channels), **how)
    whole = read_image(path)
    image = RasterImage(path, PLAIN)
    assert image.size == (40, 50) and np.array_equal(as_array(image), whole)
    boxes = [(3, 5, 30, 39), (49, 39, 50, 40), (0, 16, 17, 33)] * 5
    for each in (image, pickle.loads(pickle.dumps(image))):
        with ThreadPoolExecutor(4) as pool:
            windows = list(pool.map(each.read, boxes))
        for (left, top, right, bottom), window in zip(boxes, windows):
            assert np.array_equal(window, whole[top:bottom, left:right])


@needs_rasterio
def test_palettes_orientation_and_16_bits_of_large_files(tiny_memory: None, tmp_path: Path) -> None:
    pixels = noise(30, 40)
    Pillow.fromarray(pixels).quantize(16).save(tmp_path / "palette.tif")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(pixels).save(tmp_path / "turned.tif", exif=exif)
    Pillow.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    write_tiff(tmp_path / "deep.tif", pixels.astype(np.uint16) * 16)
    for name in ("palette.tif", "turned.tif", "turned.png", "deep.tif"):
        image, whole = open_image(tmp_path / name), read_image(tmp_path / name)
        assert not isinstance(image, ArrayImage) and image.size == whole.shape[:2]
        assert np.array_equal(as_array(image), whole), name
        assert np.array_equal(image.read((3, 2, 20, 30)), whole[2:30, 3:20]), name
    stored = open_image(tmp_path / "turned.tif", (30, 40))
    assert stored.size == (30, 40)
    with pytest.raises(InputError, match=r"the image is 30 x 40 .*its annotation says 41 x 30"):
        open_image(tmp_path / "turned.tif", (30, 41))


@needs_rasterio
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".jp2"])
def test_other_formats_are_decoded_into_a_file_once(
    suffix: str, tiny_memory: None, tmp_path: Path
) -> None:
    pixels = cv2.GaussianBlur(noise(60, 80), (0, 0), 5)
    path, folder = tmp_path / f"a{suffix}", tmp_path / "kept"
    write_image(path, pixels)
    whole = read_image(path).astype(int)
    for each in (
        open_image(path),
        open_image(path, folder=folder),
        open_image(path, folder=folder),
    ):
        assert isinstance(each, DecodedImage)
        # Decoders of JPEG differ by a few levels where they enlarge the colours.
        assert np.abs(as_array(each) - whole).max() <= (8 if suffix == ".jpg" else 0)
    (kept,) = [file for file in folder.iterdir() if file.suffix == ".pixels"]
    assert kept.stat().st_size == 60 * 80 * 3
    kept.write_bytes(bytes(60 * 80 * 3))  # is taken as it is
    assert open_image(path, folder=folder).read((0, 0, 9, 9)).max() == 0
    write_image(path, pixels)  # a new time of change
    assert open_image(path, folder=folder).read((0, 0, 9, 9)).max() > 0


def test_what_is_not_read_in_pieces_is_decoded_as_a_whole(
    tiny_memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "a.webp", tmp_path / "kept"
    write_image(path, noise(30, 40))
    image = open_image(path, folder=folder)
    assert isinstance(image, ArrayImage) and np.array_equal(image.pixels, read_image(path))
    assert not folder.exists()
    monkeypatch.setattr("otadet.data.large_image.MAX_PIXELS", 1199)
    with pytest.raises(InputError, match=r"a\.webp: 1,200 pixels cannot be read in pieces; "):
        open_image(path)


def test_a_decoded_file_that_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 3599})()
    monkeypatch.setattr(free_space.shutil, "disk_usage", lambda _: usage)
    write_image(tmp_path / "a.png", noise(30, 40))
    image = ArrayImage(noise(30, 40))
    for folder in (None, tmp_path / "kept"):
        with pytest.raises(InputError, match=r"a\.png, decoded to be read in pieces, needs 0.00"):
            decoded(image, tmp_path / "a.png", PLAIN, folder)
    usage.free = 3600
    assert decoded(image, tmp_path / "a.png", PLAIN, None).size == (30, 40)


@needs_rasterio
def test_damaged_and_strange_files_are_errors_of_one_line(
    tiny_memory: None, tmp_path: Path
) -> None:
    how = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    path = write_tiff(tmp_path / "a.tif", noise(64, 64), **how)
    data = path.read_bytes()
    path.write_bytes(data[:1500] + bytes(4000) + data[5500:])
    with pytest.raises(InputError, match=r"a\.tif: cannot be read \(") as caught:
        as_array(open_image(path))
    assert "\n" not in str(caught.value)
    write_image(tmp_path / "b.jpg", cv2.GaussianBlur(noise(64, 64), (0, 0), 3))
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"b\.jpg: cannot be read \("):
        open_image(tmp_path / "b.jpg")
    (tmp_path / "c.tif").write_bytes(b"II*\0 no image at all, but long enough to be mapped")
    with pytest.raises(InputError, match=r"c\.tif: not a readable image"):
        open_image(tmp_path / "c.tif")


@needs_rasterio
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_tiles_of_large_files_are_those_of_small_ones(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for i in range(3):
        write_image(tmp_path / f"{i}{suffix}", noise(130, 170, seed=i))
        boxes = np.array([[20, 20, 40, 40], [150, 100, 165, 120]], np.float32)
        rows.append((f"{i}{suffix}", (130, 170), boxes))
    tiles = TiledDataset(dataset(tmp_path, rows), Tiling(64, 16), 1.0, 0)
    order = np.random.default_rng(0).permutation(len(tiles))
    wanted = [tiles.load(int(i)) for i in order]
    monkeypatch.setattr("otadet.data.large_image.IN_MEMORY", 100)
    monkeypatch.setattr(FileDataset, "_load", None)  # a whole image is never decoded
    large = TiledDataset(dataset(tmp_path, rows), Tiling(64, 16), 1.0, 0)
    for i, sample in zip(order, wanted):
        mine = large.load(int(i))
        assert np.array_equal(mine.image, sample.image) and mine.image_id == sample.image_id
        assert np.array_equal(mine.boxes, sample.boxes) and mine.geometry == sample.geometry


def test_without_tiles_a_large_image_is_refused_and_told_of_them(tmp_path: Path) -> None:
    """A header of 20,000 x 20,000 px: nothing is decoded."""
    _, data = cv2.imencode(".bmp", np.zeros((2, 2, 3), np.uint8))
    header = bytearray(data.tobytes())
    header[18:26] = (20_000).to_bytes(4, "little") * 2
    (tmp_path / "a.bmp").write_bytes(header)
    with pytest.raises(InputError, match=r"got 20000 x 20000; tile=640 reads it in tiles"):
        read_image(tmp_path / "a.bmp")


def test_a_data_set_with_a_load_of_its_own_gives_its_tiles(tmp_path: Path) -> None:
    class Inverted(CocoDataset):
        def load(self, index: int) -> Sample:
            sample = super().load(index)
            return replace(sample, image=255 - sample.image)

    write_image(tmp_path / "a.png", noise(80, 90))
    boxes = np.array([[20, 20, 40, 40]], np.float32)
    plain = dataset(tmp_path, [("a.png", (80, 90), boxes)])
    tiles = [TiledDataset(data, Tiling(64, 16), 0.0, 0).load(0).image
             for data in (plain, Inverted(tmp_path, plain.source.name, "."))]  # fmt: skip
    assert np.array_equal(tiles[0], 255 - tiles[1])
