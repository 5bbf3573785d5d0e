"""Pages, channels and stretch of image files, in training, evaluation, demo and API."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import otadet
from otadet.cli.demo import main as demo
from otadet.cli.eval import main as evaluate
from otadet.cli.train import main as train
from otadet.data import FileDataset, ImageOptions, ShapesDataset, read_image, write_coco
from otadet.data.image_file import decode_image
from otadet.data.levels import Levels
from otadet.engine.checkpoint import load_checkpoint
from otadet.errors import InputError
from otadet.exp import load_exp
from tests.data.rasters import needs_rasterio, noise, write_tiff
from tests.engine.processes import quick


def test_percentiles_become_black_and_white() -> None:
    values = np.arange(1001, dtype=np.uint16).reshape(7, 143, 1) + 3000
    levels = Levels.of(values, (10, 90), "a.tif")
    assert levels is not None and (levels.low, levels.high) == ((3100.0,), (3901.0,))
    table = np.array([[[0], [3100], [3500], [3900], [3901], [65535]]], np.uint16)
    assert levels(table).ravel().tolist() == [0, 0, 127, 255, 255, 255]
    for kind in (np.float32, np.int16, np.int32, np.uint32):
        same = Levels.of(values.astype(kind), (10, 90), "a.tif")
        assert same is not None and same.low == (3100.0,) and same.high == (3900.0,)
        assert np.abs(same(values.astype(kind)).astype(int) - levels(values)).max() <= 1
        assert same(np.array([[[1 << 14]]], kind)).item() == 255
    large = values.astype(np.uint32) << 10  # beyond 16 bits
    scaled = Levels.of(large, (10, 90), "a.tif")
    assert scaled is not None and np.abs(scaled(large).astype(int) - levels(values)).max() <= 1
    full = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    same = Levels.of(full, (0, 100), "a.png")
    assert same is not None and np.array_equal(same(full), full)
    assert Levels.of(full, None, "a.png") is None


def test_what_is_no_number_is_black_and_left_out_of_the_percentiles() -> None:
    values = np.full((10, 10, 1), np.nan, np.float32)
    values[0, :, 0] = np.arange(10)
    levels = Levels.of(values, (0, 100), "a.tif")
    assert levels is not None and (levels.low, levels.high) == ((0.0,), (9.0,))
    assert levels(values)[0, :, 0].tolist() == [int(i * 256 / 9) for i in range(9)] + [255]
    assert levels(values)[1:].max() == 0
    flat = Levels.of(np.full((2, 2, 1), 5.0), (1, 99), "a.tif")
    assert flat is not None and flat(np.full((2, 2, 1), 5.0)).max() == 0


def test_a_16_bit_image_that_would_be_black_is_refused(tmp_path: Path) -> None:
    """A hot pixel among values of a microscope; a night with lights and a margin are no error."""
    dark = noise(40, 40, 1).astype(np.uint16)[..., 0]
    dark[3, 4] = 60_000
    cv2.imwrite(str(tmp_path / "a.tif"), dark)
    with pytest.raises(InputError, match=r"a\.tif: 16 bits .*would be black; image_stretch=0\.5"):
        read_image(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(InputError, match=r"http.*would be black"):
        decode_image(data, "http://a.org/a.tif")
    stretch = ImageOptions(stretch=(0.5, 99.5))
    for image in (
        read_image(tmp_path / "a.tif", options=stretch),
        decode_image(data, "a", stretch),
    ):
        assert 110 < np.median(image) < 145 and np.array_equal(image[..., 0], image[..., 2])
    night = np.zeros((40, 40), np.uint16)
    night[:2, :5] = 50_000
    cv2.imwrite(str(tmp_path / "night.tif"), night)
    assert read_image(tmp_path / "night.tif").max() == 195
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((4, 4), np.uint16))
    assert read_image(tmp_path / "black.png").max() == 0


def test_a_stretch_holds_for_every_kind_of_file(tmp_path: Path) -> None:
    pixels = noise(30, 30) // 4 + 20
    for name in ("a.png", "a.jpg", "a.tif"):
        cv2.imwrite(str(tmp_path / name), pixels[..., ::-1])
        image = read_image(tmp_path / name, options=ImageOptions(stretch=(1, 99)))
        assert image.min() == 0 and image.max() == 255
    cv2.imwrite(str(tmp_path / "signed.tif"), noise(20, 20, 1).astype(np.int16) - 100)
    with pytest.raises(InputError, match=r"signed\.tif: expected pixels .*got int16"):
        read_image(tmp_path / "signed.tif")
    image = read_image(tmp_path / "signed.tif", options=ImageOptions(stretch=(1, 99)))
    assert image.min() == 0 and image.max() == 255


@needs_rasterio
def test_channels_of_a_file_and_of_several_pages(tmp_path: Path) -> None:
    values = noise(20, 30, 8)
    path = write_tiff(tmp_path / "eight.tif", values)
    with pytest.raises(InputError, match=r"eight\.tif: has 8 channels; image_channels=N .*0 to 7"):
        read_image(path)
    for chosen in ((3, 2, 1), (7, 0, 0)):
        image = read_image(path, options=ImageOptions(channels=chosen))
        assert np.array_equal(image, values[..., list(chosen)])
    grey = read_image(path, options=ImageOptions(channels=(5,)))
    assert np.array_equal(grey, np.repeat(values[..., 5:6], 3, axis=2))
    with pytest.raises(InputError, match=r"image_channels=8, but it has 8 channels: 0 to 7"):
        read_image(path, options=ImageOptions(channels=(8,)))
    stack = tmp_path / "stack.tif"
    cv2.imwritemulti(str(stack), [values[..., i] for i in range(4)])
    assert np.array_equal(read_image(stack)[..., 0], values[..., 0])
    assert np.array_equal(read_image(stack, options=ImageOptions((2,)))[..., 0], values[..., 2])
    merged = read_image(stack, options=ImageOptions((3, 0, 1)))
    assert np.array_equal(merged, values[..., [3, 0, 1]])
    turned = read_image(stack, options=ImageOptions((3, 0, 1), (2, 0, 1)))
    assert np.array_equal(turned, values[..., [1, 3, 0]])
    with pytest.raises(InputError, match=r"stack\.tif: cannot be read \(.*directory 5"):
        read_image(stack, options=ImageOptions((4,)))
    cv2.imwrite(str(tmp_path / "a.png"), values[..., :3])
    with pytest.raises(InputError, match="image_pages=1, but only TIFF files have pages"):
        read_image(tmp_path / "a.png", options=ImageOptions((1,)))
    blue = read_image(tmp_path / "a.png", options=ImageOptions(channels=(2,)))
    assert np.array_equal(blue[..., 0], values[..., 0])


@needs_rasterio
def test_numbers_of_other_kinds_need_a_stretch(tmp_path: Path) -> None:
    values = noise(40, 40, 1).astype(np.float32) / 255
    values[0] = -9999
    path = write_tiff(tmp_path / "a.tif", values, nodata=-9999)
    with pytest.raises(InputError, match=r"a\.tif: expected pixels of 8 .*got 32 bits; image_str"):
        read_image(path)
    image = read_image(path, options=ImageOptions(stretch=(1, 99)))
    assert image[0].max() == 0 and 110 < np.median(image[1:]) < 145
    path = write_tiff(tmp_path / "b.tif", values.astype(np.complex64))
    with pytest.raises(InputError, match=r"b\.tif: expected real numbers, got complex64"):
        read_image(path, options=ImageOptions(stretch=(1, 99)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"image_channels": (0, 1)}, "image_channels: expected one channel or three, got 2"),
     ({"image_pages": ()}, "image_pages: expected at least one page"),
     ({"image_stretch": (50.0, 50.0)}, "image_stretch: expected rising percentiles, got 50,50"),
     ({"image_stretch": (1.0, 101.0)}, "image_stretch"), ({"image_pages": (-1,)}, "image_pages")],
)  # fmt: skip
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_exp(name="quickstart", overrides=settings)


def test_a_cache_knows_the_options(tmp_path: Path) -> None:
    folder = deep_shapes(tmp_path)
    words = {"data_dir": str(folder)}
    keys = []
    for more in ({}, {"image_stretch": (1.0, 99.0)}, {"image_stretch": (2.0, 99.0)}):
        data = load_exp(name="quickstart", overrides={**words, **more}).build_train_data()
        assert isinstance(data, FileDataset)
        keys.append(data.fingerprint())
    assert len(set(keys)) == 3


def deep_shapes(folder: Path) -> Path:
    """Generated shapes as TIFF files of 16 bits, of which 12 are in use."""
    data = folder / "data"
    annotations = write_coco(ShapesDataset(4, seed=2, size=(150, 180), object_size=(10, 30)), data)
    for path in (data / "images").iterdir():
        cv2.imwrite(str(path.with_suffix(".tif")), cv2.imread(str(path)).astype(np.uint16) * 12)
        path.unlink()
    text = annotations.read_text(encoding="utf-8").replace(path.suffix, ".tif")
    annotations.write_text(text, encoding="utf-8")
    return data


def test_training_evaluation_demo_and_api_read_alike(tmp_path: Path) -> None:
    folder = deep_shapes(tmp_path)
    words = [
        f"data_dir={folder}",
        "tile=96",
        "tile_overlap=32",
        "image_stretch=1,99",
        "max_iters=2",
    ]
    assert train(quick(tmp_path / "run", *words)) == 0
    best = tmp_path / "run" / "best.pth"
    assert load_checkpoint(best).settings["image_stretch"] == [1, 99]
    path = sorted((folder / "images").iterdir())[0]
    detector = otadet.load(best, device="cpu", score=0.01)
    result = detector(path)
    wanted = read_image(path, options=ImageOptions(stretch=(1, 99)))
    assert np.array_equal(result.image, wanted)
    assert len(result) and np.array_equal(detector(wanted).boxes, result.boxes)
    json_file = tmp_path / "found.json"
    assert demo(["image", "-c", str(best), "-d", "cpu", "--path", str(path), "--conf", "0.01",
                 "-o", str(tmp_path / "drawn"), "--save-json", str(json_file)]) == 0  # fmt: skip
    rows = json.loads(json_file.read_text(encoding="utf-8"))
    assert [row["score"] for row in rows] == pytest.approx(result.scores.tolist(), abs=1e-4)
    assert evaluate(["-c", str(best), "-d", "cpu"]) == 0
