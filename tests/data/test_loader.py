"""Batches from worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otadet.data import (
    BatchOrder,
    CocoDataset,
    ColorJitter,
    Compose,
    EvalOrder,
    Flip,
    Letterbox,
    OneImage,
    RandomCrop,
    RoundRobin,
    ScaleJitter,
    ShapesDataset,
    build_loader,
)
from otadet.data.loader import _to_run_error
from otadet.data.transforms import Transform
from otadet.errors import InputError, RunError
from otadet.types import Batch, Sample

Write = Callable[[dict[str, Any]], Path]

DATASET = ShapesDataset(11, 0, size=(64, 80), object_size=(12, 30))
AUGMENT = Compose((RandomCrop(), Flip(), ScaleJitter((40, 64), 96), ColorJitter()))


def plain(transform: Transform) -> RoundRobin:
    return RoundRobin((OneImage(transform),))


def batches(count: int, **settings: Any) -> list[Batch]:
    order = BatchOrder(DATASET.sizes, 4, seed=3)
    loader = build_loader(DATASET, plain(AUGMENT), order, seed=5, **settings)
    return list(islice(loader, count))


def same(a: Batch, b: Batch) -> bool:
    return (
        a.image_ids == b.image_ids
        and torch.equal(a.images, b.images)
        and a.geometries == b.geometries
        and all(torch.equal(x.boxes, y.boxes) for x, y in zip(a.targets, b.targets))
        and all(torch.equal(x.labels, y.labels) for x, y in zip(a.targets, b.targets))
        and all(torch.equal(x.ignore_boxes, y.ignore_boxes) for x, y in zip(a.targets, b.targets))
    )


@pytest.mark.parametrize(
    "settings",
    [{"workers": 1}, {"workers": 2}, {"workers": 1, "start_method": "spawn", "prefetch": 1}],
)
def test_same_batches_for_any_number_of_workers(settings: dict[str, Any]) -> None:
    alone = batches(7)
    assert all(same(a, b) for a, b in zip(alone, batches(7, **settings), strict=True))
    resumed = batches(3, start_step=4, **settings)
    assert all(same(a, b) for a, b in zip(alone[4:], resumed, strict=True))


def test_augmentation_differs_by_step_place_and_seed() -> None:
    def crop_sizes(seed: int) -> list[tuple[int, ...]]:
        order = BatchOrder(np.array([[64, 80]]), 4)  # the same image again and again
        loader = build_loader(DATASET, plain(RandomCrop(1.0)), order, seed=seed)
        return [g.input_size for batch in islice(loader, 3) for g in batch.geometries]

    assert len(set(crop_sizes(0))) > 8
    assert crop_sizes(0) == crop_sizes(0)
    assert crop_sizes(0) != crop_sizes(1)


@dataclass(frozen=True)
class Growing:
    """A plan whose size depends on the step."""

    def __call__(self, step: int) -> OneImage:
        return OneImage(Letterbox((32 * (1 + step % 3), 32)))


@pytest.mark.parametrize("settings", [{"workers": 0}, {"workers": 2}])
def test_a_plan_decides_by_step(settings: dict[str, Any]) -> None:
    order = BatchOrder(DATASET.sizes, 2)
    loader = build_loader(DATASET, Growing(), order, start_step=2, **settings)
    assert [b.images.shape[2] for b in islice(loader, 4)] == [96, 32, 64, 96]


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_order_ends_and_can_start_again(workers: int) -> None:
    loader = build_loader(DATASET, plain(Letterbox((64, 64))), EvalOrder(11, 4), workers=workers)
    assert len(loader) == 3
    for _ in range(2):
        assert [b.image_ids for b in loader] == [(1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11)]
    endless = build_loader(DATASET, plain(Flip()), BatchOrder(DATASET.sizes, 2))
    with pytest.raises(TypeError, match="endless"):
        len(endless)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_worker_is_one_line(
    document: dict[str, Any], write: Write, workers: int
) -> None:
    folder = write(document)
    (folder / "images" / "c.png").write_bytes(b"x")
    dataset = CocoDataset(folder, "ann.json", "images")
    loader = build_loader(dataset, plain(Flip()), EvalOrder(3, 1), workers=workers)
    seen = []
    with pytest.raises(InputError) as caught:
        seen.extend(batch.image_ids for batch in loader)
    assert seen == [(30,), (10,)]
    assert "c.png" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_skipped_images_of_workers_are_counted_here(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    (folder / "images" / "c.png").write_bytes(b"x")
    dataset = CocoDataset(folder, "ann.json", "images", unreadable="skip")
    loader = build_loader(dataset, plain(Flip()), EvalOrder(3, 1), workers=2)
    assert [batch.image_ids for batch in loader] == [(30,), (10,), (30,)]
    assert dataset.skipped["unreadable"] == 1


def die(sample: Sample, rng: np.random.Generator) -> Sample:
    os.kill(os.getpid(), signal.SIGKILL)
    return sample


def test_a_dead_worker_is_named() -> None:
    loader = build_loader(DATASET, plain(die), EvalOrder(11, 4), workers=1)
    with pytest.raises(RuntimeError, match=r"data worker \d+ died with exit code -9"):
        list(loader)


def test_other_errors_of_a_worker_keep_their_type() -> None:
    def broken(sample: Sample, rng: np.random.Generator) -> Sample:
        raise RuntimeError("the transform is wrong")

    for workers in (0, 1):
        loader = build_loader(DATASET, plain(broken), EvalOrder(11, 4), workers=workers)
        with pytest.raises(RuntimeError, match="the transform is wrong"):
            list(loader)


def test_workers_use_one_thread() -> None:
    def threads(sample: Sample, rng: np.random.Generator) -> Sample:
        import cv2

        if (torch.get_num_threads(), cv2.getNumThreads()) != (1, 1):
            raise InputError(f"{torch.get_num_threads()} and {cv2.getNumThreads()} threads")
        return sample

    list(build_loader(DATASET, plain(threads), EvalOrder(11, 4), workers=1))


def test_a_loader_draws_nothing_from_the_global_random_numbers() -> None:
    """A resumed run starts its loader once more than the run it goes on from."""
    before = torch.get_rng_state()
    batches(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_leave_signals_to_the_main_process() -> None:
    order = BatchOrder(DATASET.sizes, 4, seed=3)
    with closing(iter(build_loader(DATASET, plain(AUGMENT), order, workers=2))) as loader:
        found = [next(loader)]
        workers = multiprocessing.active_children()
        for worker in workers:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGTERM)
            os.kill(worker.pid, signal.SIGINT)
        found += islice(loader, 6)
        assert len(found) == 7 and len(workers) == 2
    assert not any(worker.is_alive() for worker in workers)


def sleep(sample: Sample, rng: np.random.Generator) -> Sample:
    time.sleep(1000)
    return sample


def test_a_worker_that_never_answers_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otadet.data.loader.GRACE", 0.1)
    loader = iter(build_loader(DATASET, plain(sleep), EvalOrder(11, 4), workers=2))

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt), closing(loader):
            next(loader)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert multiprocessing.active_children() == []


def _abandon() -> None:
    loader = iter(build_loader(DATASET, plain(AUGMENT), BatchOrder(DATASET.sizes, 4), workers=2))
    next(loader)
    _ABANDONED.append(loader)


_ABANDONED: list[Any] = []


def test_a_loader_that_nobody_closes_does_not_keep_its_process() -> None:
    process = multiprocessing.get_context("fork").Process(target=_abandon)
    process.start()
    process.join(60)
    try:
        assert process.exitcode == 0
    finally:
        process.kill()


def _die_soon() -> None:
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_socket_of_a_dying_worker_breaks_first() -> None:
    """Torch fetches a batch that is ready from the process that made it."""
    worker = multiprocessing.get_context("fork").Process(target=_die_soon)
    worker.start()
    error = ConnectionResetError()
    known = _to_run_error(error, frozenset({worker}))
    assert isinstance(known, RunError) and "died with exit code -9" in str(known)
    assert _to_run_error(error, frozenset()) is error
