"""Tiles chosen by the sizes of objects: ``tile=auto``."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otadet.cli.train import main as train
from otadet.data import ShapesDataset
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.init_weights import infer_settings
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.tile_choice import ENLARGED, GAIN, SERVED, NetworkInput, choose_tiling
from otadet.tiling import Tiling
from tests.engine.processes import quick

NETWORK = NetworkInput("letterbox", (640, 640), 8)
LARGE = (2000, 3000)


def squares(*sides: float, at: float = 10.0) -> npt.NDArray[np.float64]:
    return np.array([[at, at, at + side, at + side] for side in sides]).reshape(-1, 4)


def images(boxes: npt.NDArray[np.float64], size: tuple[int, int] = LARGE) -> npt.NDArray[np.int64]:
    return np.tile(np.array(size), (len(boxes), 1))


@pytest.mark.parametrize(
    ("network", "side", "tile"),
    [
        (NETWORK, 32.0, 640),  # as large as the finest level serves: tiles at the full resolution
        (NETWORK, 16.0, 320),  # enlarged twice
        (NETWORK, 5.0, 320),  # no more than twice
        (NETWORK, 64.0, 1280),  # may be shrunk
        (NetworkInput("shortest", (800, 1333), 8), 32.0, 800),
        (NetworkInput("letterbox", (416, 416), 8), 26.0, 352),  # 338 rounded to a multiple of 32
        (NetworkInput("letterbox", (640, 640), 16), 32.0, 320),
    ],
)
def test_the_median_object_comes_to_the_size_that_the_finest_level_serves(
    network: NetworkInput, side: float, tile: int
) -> None:
    boxes = squares(side, side, side)
    choice = choose_tiling(boxes, images(boxes), network)
    assert choice.tiling is not None
    assert choice.tiling.size == tile
    assert choice.tiling.overlap == -(-int(side) // 8) * 8


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(1, 300), min_size=1, max_size=60),
    st.sampled_from([4, 8, 16]),
    st.sampled_from([(256, 256), (416, 416), (640, 960)]),
)
def test_a_choice_keeps_what_it_promises(
    sides: list[float], stride: int, size: tuple[int, int]
) -> None:
    boxes = squares(*sides)
    network = NetworkInput("letterbox", size, stride)
    choice = choose_tiling(boxes, images(boxes), network)
    whole = float(network.zoom(np.array([LARGE]))[0])
    if choice.tiling is None:
        wanted = min(ENLARGED, SERVED * stride / float(np.median(sides)))
        assert wanted < 1.2 * GAIN * whole  # up to the rounding of the tile
        return
    zoom = network.side / choice.tiling.size
    assert GAIN * whole <= zoom <= 1.2 * ENLARGED
    inside = np.array(sides).round(2) <= choice.tiling.overlap
    assert inside.mean() >= 0.95 or choice.tiling.overlap == (choice.tiling.size - 1) // 2


def test_large_objects_and_small_images_are_taken_whole() -> None:
    boxes = squares(300.0, 400.0)
    choice = choose_tiling(boxes, images(boxes), NETWORK)
    assert choice.tiling is None
    assert choice.reason == (
        "images are taken whole: with tiles of 7008 px the median object of 350 px comes to 32 px "
        "of the input, in whole images to 75 px; the finest stride, 8 px, serves 32 px"
    )
    small = squares(20.0, 30.0)
    assert choose_tiling(small, images(small, (480, 640)), NETWORK).tiling is None
    nothing = squares()
    assert "no objects" in choose_tiling(nothing, images(nothing), NETWORK).reason


def test_what_is_given_is_kept_and_parts_outside_do_not_count() -> None:
    boxes = squares(24.0, 24.0, 24.0, at=-4.0)  # 20 px of each lie in the image
    choice = choose_tiling(boxes, images(boxes), NETWORK, tile=512)
    assert choice.tiling == Tiling(512, 24)
    assert choice.reason == (
        "tiles of 512 px, overlap 24 px: the median object of 20 px comes to 25 px of the input, "
        "in whole images to 4 px; the finest stride, 8 px, serves 32 px; 95 % of the objects are "
        "up to 20 px long"
    )
    assert choose_tiling(boxes, images(boxes), NETWORK, overlap=64).tiling == Tiling(384, 64)
    with pytest.raises(ValueError, match="expected an overlap of 0 to 191 px, got 200"):
        choose_tiling(boxes, images(boxes), NETWORK, overlap=200)


def test_settings_take_a_number_or_auto() -> None:
    cls = type(load_exp(name="quickstart"))
    assert cls.parse(["tile=auto", "tile_overlap=24"]) == {"tile": "auto", "tile_overlap": 24}
    assert cls.parse(["tile=none"]) == {"tile": None}
    with pytest.raises(InputError, match="tile: expected a whole number, or 'auto', or none, got"):
        cls.parse(["tile=atuo"])
    with pytest.raises(InputError, match="setting tile: expected at least 32, got 8"):
        cls(tile=8)


SMALL = ["tile=auto", "shapes_size=64,100", "shapes_train=4", "shapes_val=1",
         "shapes_object=10,14", "input_size=64,64", "test_size=64,64", "max_iters=2"]  # fmt: skip


def test_a_checkpoint_holds_numbers_and_a_run_resumes_from_them(tmp_path: Path) -> None:
    assert train(quick(tmp_path, *SMALL, "save_interval=1")) == 0
    last = load_checkpoint(tmp_path / "last.pth")
    assert (last.settings["tile"], last.settings["tile_overlap"]) == (32, 15)
    assert load_exp(name="quickstart", overrides={}).changed(
        **{k: last.settings[k] for k in ("tile", "tile_overlap")}
    ).build_tiling() == Tiling(32, 15)
    (tmp_path / "before_last.pth").replace(tmp_path / "last.pth")
    assert train([*quick(tmp_path, *SMALL, "save_interval=1"), "--resume"]) == 0
    again = load_checkpoint(tmp_path / "last.pth")
    assert (again.step, again.settings) == (last.step, last.settings)


def test_large_objects_train_on_whole_images() -> None:
    words = [*SMALL, "shapes_object=40,50", "tile_overlap=auto"]
    exp = load_exp(name="quickstart")
    exp = exp.changed(**exp.parse(words))
    data = exp.build_train_data()
    assert isinstance(data, ShapesDataset)
    chosen = infer_settings(exp, data)
    assert (chosen.tile, chosen.tile_overlap) == (None, None)
