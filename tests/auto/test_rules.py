"""Each rule by facts whose answer is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otadet.auto import rules
from otadet.auto.facts import DataFacts, Machine
from otadet.auto.rules import Facts
from otadet.data.formats import read_records
from otadet.doctor.objects import usable_objects
from otadet.exp import BaseExp, load_exp
from otadet.exp.load import load_class
from otadet.tiling import Tiling

CPU = Machine("cpu", 1, 2, 8 * 10**9, 10**11)
GPU = Machine("cuda", 2, 16, 64 * 10**9, 10**12)


@pytest.fixture
def facts(folder: Path) -> Facts:
    exp = load_exp(name="auto", overrides={"data_dir": str(folder)})
    records = read_records(exp.place("train"), exp.reading())
    return Facts(DataFacts(records, usable_objects(records), 8, 30, ()), CPU, None, True)


def auto(**values: Any) -> BaseExp:
    return load_class(name="auto")(data_dir="x", **values)


def with_images(facts: Facts, height: float, width: float, side: float, **more: Any) -> Facts:
    """The same images at another size, of objects of one side."""
    data = facts.data
    boxes = np.tile([0.0, 0.0, side, side], (len(data.objects.rows), 1))
    sizes = np.tile([height, width], (len(data.records), 1))
    changed = replace(
        data, objects=replace(data.objects, boxes=boxes), records=replace(data.records, sizes=sizes)
    )
    return replace(facts, data=replace(changed, **more))


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [
        (480, 640, 34, (256, 320)),  # 16 px at 301 px: the smallest longer side
        (480, 640, 26, (288, 384)),  # 16 px at 394 px
        (480, 640, 10, (320, 416)),  # 16 px at 1024 px: the largest on a CPU
        (256, 256, 10, (416, 416)),
    ],
)
def test_input_has_the_shape_of_the_images_and_wide_objects(
    facts: Facts, height: int, width: int, side: float, expected: tuple[int, int]
) -> None:
    found = rules.input_size(with_images(facts, height, width, side), auto())
    assert found.values == {"input_size": expected, "test_size": expected}
    assert f"{width} x {height} px" in found.reason


def test_upright_and_lying_images_share_a_square(facts: Facts) -> None:
    mixed = with_images(facts, 480, 640, 10)
    mixed.data.records.sizes[::2] = [640, 480]
    assert rules.input_size(mixed, auto()).values["input_size"] == (416, 416)


def test_a_gpu_takes_more_and_a_short_run_less(facts: Facts) -> None:
    small = with_images(facts, 1000, 1000, 10)
    for machine, minutes, side in ((GPU, None, 640), (CPU, 3.0, 320), (CPU, 8.0, 416)):
        found = rules.input_size(replace(small, machine=machine, minutes=minutes), auto())
        assert found.values["input_size"] == (side, side)


def test_tiles_where_objects_would_vanish(facts: Facts) -> None:
    exp = auto(input_size=(320, 416))
    assert rules.tiles(with_images(facts, 1600, 2000, 45), exp).values == {"tile": None}  # 9 px
    found = rules.tiles(with_images(facts, 1600, 2000, 30), exp)
    # 30 px come to 32 px where a tile of 390 px fills the input.
    assert found.values == {
        "tile": 384, "tile_overlap": 32, "input_size": (416, 416), "test_size": (416, 416)
    }  # fmt: skip
    assert auto(**found.values).build_tiling() == Tiling(384, 32)
    # What is not shrunk has no more pixels in tiles.
    assert rules.tiles(with_images(facts, 320, 416, 6), exp).values == {"tile": None}


def test_an_epoch_has_steps_and_the_run_has_images(facts: Facts) -> None:
    assert len(facts.data.records) == 32
    assert rules.batch(facts, auto()).values == {"batch_size": 4}
    assert rules.length(facts, auto()).values == {"max_epochs": 219}
    assert rules.length(replace(facts, pretrained=False), auto()).values == {"max_epochs": 300}
    assert rules.evaluations(facts, auto(max_epochs=219)).values == {"eval_interval": 21}
    assert rules.length(facts, auto(max_iters=7)).values == {"max_iters": 7}
    timed = replace(facts, minutes=3.0)
    assert rules.length(timed, auto()).values == {"minutes": 3.0}
    assert rules.rate(timed, auto()).values == {"flat": 0.5}
    assert rules.patience(timed, auto()).values == {"patience": None}
    assert rules.evaluations(timed, auto()).values == {}


def test_more_mosaics_where_each_image_is_seen_often(facts: Facts) -> None:
    nano = auto(input_size=(256, 320))
    timed = replace(facts, minutes=0.75)
    assert rules.mosaics(timed, nano).values == {"mosaic": 0.8}
    assert "53 times" in rules.mosaics(timed, nano).reason
    larger = auto(input_size=(256, 384))
    assert rules.mosaics(timed, larger).values == {"mosaic": 0.5}
    assert rules.mosaics(replace(timed, minutes=0.7), nano).values == {"mosaic": 0.5}
    assert rules.mosaics(replace(timed, machine=GPU), nano).values == {}
    assert rules.mosaics(facts, auto(max_epochs=51)).values == {"mosaic": 0.8}
    assert rules.mosaics(facts, auto(max_epochs=50)).values == {"mosaic": 0.5}
    once = auto(max_iters=4, batch_size=8)
    assert rules.mosaics(facts, once).values == {"mosaic": 0.5}


def test_images_are_kept_where_they_fit(facts: Facts) -> None:
    exp = auto(input_size=(256, 320))
    large = with_images(facts, 960, 1280, 40)  # 0.118 GB in all, 0.029 at 640 px
    assert rules.cache(large, exp).values == {"cache": "memory", "cache_longest": 640}
    assert rules.cache(facts, exp).values == {"cache": "memory"}
    for memory, disk, where in ((10**8, 10**9, "disk"), (10**8, 10**8, "none")):
        machine = Machine("cpu", 1, 2, memory, disk)
        assert rules.cache(replace(large, machine=machine), exp).values["cache"] == where
    assert rules.cache(replace(large, minutes=0.02), exp).values == {"cache": "none"}


def test_the_densest_image_and_rare_classes(facts: Facts) -> None:
    exp = auto(input_size=(96, 128))
    assert rules.detections(facts, exp).values == {"max_detections": 100}
    dense = replace(facts, data=replace(facts.data, most_objects=374, rare=("ant",)))
    assert rules.detections(dense, exp).values == {"max_detections": 500}
    assert (
        rules.rare(dense, exp).values == {"repeat_rare": 0.05}
        and "ant" in rules.rare(dense, exp).reason
    )
    assert rules.rare(facts, exp).values == {"repeat_rare": 0.0}


def test_the_network_by_device_and_time() -> None:
    chosen = [
        rules.choose_network(machine, 1000, minutes)[0].name
        for machine, minutes in ((GPU, None), (CPU, None), (CPU, 8.0), (CPU, 50.0), (CPU, 80.0))
    ]
    assert chosen == ["yolox_s", "yolox_nano", "yolox_nano", "yolox_tiny", "yolox_s"]


@pytest.mark.parametrize(
    ("cores", "busy", "processes", "threads"),
    [(2, 0.1, 1, None), (2, 1.0, 1, 1), (2, 1.9, 1, 1), (8, 3.2, 1, 5), (8, 4.0, 2, 2)],
)
def test_threads_leave_cores_to_others(
    cores: int, busy: float, processes: int, threads: int | None, facts: Facts
) -> None:
    machine = Machine("cpu", processes, cores, 8 * 10**9, 10**11, busy)
    choice = rules.threads(replace(facts, machine=machine), auto())
    assert choice.values == {"threads": threads}
    assert rules.threads(facts, auto()).values == {}


def test_workers_leave_cores_for_training(facts: Facts) -> None:
    assert rules.workers(facts, auto()).values == {"workers": 1}
    assert rules.workers(replace(facts, machine=GPU), auto()).values == {"workers": 8}
    assert rules.patience(facts, auto()).values == {"patience": 5}
