"""Decoded images in memory and on disk: the same samples, never stale, never half-written."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otadet.data import (
    BatchOrder,
    CocoDataset,
    Dataset,
    Letterbox,
    Mosaic,
    OneImage,
    RoundRobin,
    ShapesDataset,
    build_loader,
    cached,
    free_space,
)
from otadet.data.base import load_reduced
from otadet.data.cache_file import MappedPixels
from otadet.errors import InputError
from otadet.types import Sample
from tests.data.painted import Painted

Write = Callable[[dict[str, Any]], Path]
Make = Callable[..., Dataset]

DATA = Painted()


@pytest.fixture
def coco(document: dict[str, Any], write: Write) -> CocoDataset:
    return CocoDataset(write(document), "ann.json", "images")


@pytest.fixture(params=["memory", "disk"])
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def make(dataset: Dataset, **settings: Any) -> Dataset:
        return cached(dataset, request.param, folder=tmp_path / "cache", progress=False, **settings)

    return make


def same(a: Sample, b: Sample) -> bool:
    names = ("image", "boxes", "labels", "ignore_boxes")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names) and (
        a.image_id == b.image_id and a.geometry == b.geometry
    )


def test_the_same_samples(coco: CocoDataset, keep: Make) -> None:
    kept = keep(coco)
    assert isinstance(kept, Dataset)
    assert len(kept) == len(coco)
    assert kept.class_names == coco.class_names
    assert np.array_equal(kept.sizes, coco.sizes)
    for index in range(len(coco)):
        assert same(kept.load(index), coco.load(index))
        assert kept.ground_truth(index).file_name == coco.ground_truth(index).file_name
        assert not kept.load(index).image.flags.writeable
    assert kept.skipped == coco.skipped
    assert cached(coco, "none") is coco


@pytest.mark.parametrize(
    ("where", "start_method"), [("memory", "fork"), ("memory", "spawn"), ("disk", "fork")]
)
def test_workers_see_the_same_images(
    coco: CocoDataset, tmp_path: Path, where: Any, start_method: str
) -> None:
    kept = cached(coco, where, longest=40, folder=tmp_path / "cache", progress=False)
    for image in coco._images.rglob("*.*"):
        image.unlink()  # nothing is read again
    plan = RoundRobin((Mosaic((48, 64), p=0.5),))
    order = BatchOrder(coco.sizes, 2)
    alone = list(islice(build_loader(kept, plan, order), 3))
    others = build_loader(kept, plan, order, workers=1, start_method=start_method)
    for a, b in zip(alone, others):
        assert (a.images == b.images).all()
        assert (a.targets[0].boxes == b.targets[0].boxes).all()


def test_another_process_opens_the_file_itself(coco: CocoDataset, tmp_path: Path) -> None:
    kept = cached(coco, "disk", folder=tmp_path / "cache", progress=False)
    kept.load(0)  # opens the file here
    assert len(pickle.dumps(kept.pixels)) < 1000  # type: ignore[attr-defined]
    assert same(pickle.loads(pickle.dumps(kept)).load(1), kept.load(1))


def test_shrunk_images_know_where_they_came_from(coco: CocoDataset, keep: Make) -> None:
    kept = keep(coco, longest=30)
    for index in range(len(coco)):
        small, whole = kept.load(index), coco.load(index)
        height, width = coco.ground_truth(index).size
        assert max(small.image.shape) == 30
        assert small.geometry.image_size == (height, width)
        assert small.geometry.input_size == small.image.shape[:2]
        assert np.allclose(small.geometry.to_input(whole.boxes), small.boxes)
        assert np.allclose(small.geometry.to_input(whole.ignore_boxes), small.ignore_boxes)
        assert np.abs(small.image.astype(int) - int(whole.image[0, 0, 0])).max() <= 4
    large = keep(coco, longest=1000)
    assert same(large.load(0), coco.load(0))


def test_a_pipeline_on_shrunk_images_keeps_the_originals_frame(coco: CocoDataset) -> None:
    kept = cached(coco, "memory", longest=30, progress=False)
    for index in range(3):
        a, b = (
            OneImage(Letterbox((24, 24)))(d, index, np.random.default_rng(0)) for d in (kept, coco)
        )
        assert a.geometry.image_size == b.geometry.image_size
        assert np.allclose(a.boxes, b.boxes, atol=0.5)


def test_memory_needs_no_files() -> None:
    shapes = ShapesDataset(3, 0, size=(40, 50), object_size=(8, 20))
    kept = cached(shapes, "memory", progress=False)
    assert all(same(kept.load(i), shapes.load(i)) for i in range(3))
    with pytest.raises(InputError, match="data set of image files, got ShapesDataset"):
        cached(shapes, "disk", folder=".", progress=False)


def test_unreadable_images_follow_the_data_sets_rule(
    document: dict[str, Any], write: Write, keep: Make, tmp_path: Path, warnings: list[str]
) -> None:
    folder = write(document)
    (folder / "images" / "a.png").write_bytes(b"x")
    skipping = CocoDataset(folder, "ann.json", "images", unreadable="skip")
    kept = keep(skipping)
    assert [kept.load(i).image_id for i in range(3)] == [10, 10, 20]
    assert same(kept.load(0), skipping.load(1))
    assert kept.skipped["unreadable"] == 1
    with pytest.raises(InputError, match=r"a\.png"):
        keep(CocoDataset(folder, "ann.json", "images"), threads=1)
    assert not list((tmp_path).glob("cache/.*.part"))


def test_the_file_is_used_again_until_something_changes(
    coco: CocoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"

    def make(**settings: Any) -> Dataset:
        return cached(coco, "disk", folder=folder, progress=False, **settings)

    reads: list[int] = []
    load = CocoDataset.load_reduced

    def counting(self: CocoDataset, index: int, factor: int) -> Sample:
        reads.append(index)
        return load(self, index, factor)

    monkeypatch.setattr(CocoDataset, "load_reduced", counting)
    make()
    assert sorted(reads) == [0, 1, 2]
    make()
    assert len(reads) == 3
    make(longest=20)
    assert len(reads) == 6
    assert len(list(folder.glob("*.pictures"))) == 2

    image = coco._images / "c.png"
    cv2.imwrite(str(image), np.full((32, 32, 3), 99, np.uint8))
    os.utime(image, (time.time() + 5, time.time() + 5))
    assert (make().load(2).image == 99).all()
    assert len(reads) == 9


def test_a_disk_that_fills_up_ends_with_an_error_and_not_with_a_signal(tmp_path: Path) -> None:
    """All blocks are allocated before the first image is decoded."""
    first, second = (MappedPixels(tmp_path / f"{name}.pictures", 3, 4 << 20) for name in "ab")

    def fill(pixels: Any) -> Any:
        (part,) = tmp_path.glob(".*.part")
        taken = part.stat()
        assert taken.st_blocks * 512 >= taken.st_size > pixels.size == 4 << 20
        return np.arange(3)

    first.write(fill)
    assert first.origin().tolist() == [0, 1, 2]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large.*b\.pictures'$"):
            second.write(fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pictures"]


@pytest.mark.parametrize("harm", ["cut", "longer", "another", "empty"])
def test_a_broken_file_is_made_anew(coco: CocoDataset, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "cache"
    cached(coco, "disk", folder=folder, progress=False)
    (path,) = folder.glob("*.pictures")
    data = path.read_bytes()
    path.unlink()
    broken = {"cut": data[:-1], "longer": data + b"x", "another": b"x" + data[1:], "empty": b""}
    path.write_bytes(broken[harm])
    killed = "import os, pathlib, sys; from otadet.atomic import atomic_path\n"
    killed += "with atomic_path(pathlib.Path(sys.argv[1])) as part:\n"
    killed += "    part.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == -9
    assert len(list(folder.glob(".*.part"))) == 1
    kept = cached(coco, "disk", folder=folder, progress=False)
    assert path.read_bytes() == data
    assert same(kept.load(1), coco.load(1))
    assert not list(folder.glob(".*.part"))


def test_too_little_space_is_refused_before_anything_is_read(
    coco: CocoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 3 * (60 * 40 * 2 + 32 * 32)
    monkeypatch.setattr(free_space, "free_memory", lambda: needed)
    cached(coco, "memory", progress=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # two processes take it twice
    with pytest.raises(InputError, match=r"2 processes of .*longest") as caught:
        cached(coco, "memory", progress=False)
    assert "\n" not in str(caught.value)
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    monkeypatch.setattr(free_space, "free_shared_memory", lambda: needed - 1)
    with pytest.raises(InputError, match="of shared memory"):
        cached(coco, "memory", progress=False)
    monkeypatch.setattr(
        free_space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": needed - 1})()
    )
    with pytest.raises(InputError, match="of disk") as caught:
        cached(coco, "disk", folder=tmp_path / "cache", progress=False)
    assert str(tmp_path) in str(caught.value)


def test_free_memory_is_the_smaller_of_machine_and_container(tmp_path: Path) -> None:
    proc, group = tmp_path / "proc", tmp_path / "cgroup"
    assert free_space.free_memory(proc, group) is None
    proc.mkdir()
    (group / "memory").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 5000 kB\n", encoding="utf-8")
    assert free_space.free_memory(proc, group) == 5000 * 1024
    (group / "memory.max").write_text("max\n", encoding="utf-8")
    (group / "memory.current").write_text("700\n", encoding="utf-8")
    assert free_space.free_memory(proc, group) == 5000 * 1024
    (group / "memory.max").write_text("1000\n", encoding="utf-8")
    (group / "memory.stat").write_text("anon 400\ninactive_file 250\n", encoding="utf-8")
    assert free_space.free_memory(proc, group) == 1000 - 700 + 250
    (group / "memory.max").write_text("max\n", encoding="utf-8")
    (group / "memory" / "memory.limit_in_bytes").write_text("5000\n", encoding="utf-8")
    (group / "memory" / "memory.usage_in_bytes").write_text("6000\n", encoding="utf-8")
    assert free_space.free_memory(proc, group) == 0
    assert (free_space.free_memory() or 0) > 0


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"where": "ram"}, "'none', 'memory' or 'disk', got 'ram'"),
        ({"where": "memory", "longest": 0}, "longest"),
        ({"where": "disk"}, "folder"),
    ],
)
def test_wrong_settings(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        cached(DATA, progress=False, **arguments)


def test_reduced_loading_of_jpegs(coco: CocoDataset) -> None:
    whole, half = coco.load(1), load_reduced(coco, 1, 2)  # sub/b.jpg, 40 x 60
    assert half.image.shape == (30, 20, 3)
    assert half.geometry.image_size == (60, 40)
    assert np.allclose(half.boxes, whole.boxes / 2)
    assert np.abs(half.image.astype(int) - 10).max() <= 2
    assert load_reduced(coco, 0, 2).image.shape == (40, 60, 3)  # a PNG has no short way
    assert load_reduced(DATA, 0, 8).image.shape == DATA.load(0).image.shape
