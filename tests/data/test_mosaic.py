"""Mosaic, mixup and copy-paste: the boxes fit the pixels, and the pixels are the recipe's."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import islice
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from otadet.data import (
    BatchOrder,
    BoxFilter,
    CopyPaste,
    HSVShift,
    Letterbox,
    Mosaic,
    RandomTurn,
    RoundRobin,
    build_loader,
    hsv_shift,
)
from otadet.data.affine import random_affine
from otadet.data.base import shrunk_sample
from otadet.data.box_filter import Objects
from otadet.data.canvas import blank_canvas
from otadet.data.copy_paste import copy_paste
from otadet.data.turns import Turn
from otadet.errors import InputError
from otadet.geometry import Geometry, letterbox
from otadet.types import Sample
from tests.data.painted import GROUND, Painted, colour, extent

DATA = Painted()
SIZE = (140, 180)
ALL = BoxFilter(0.0, 0.0, 1e9)
PLAIN: dict[str, Any] = {"mixup": 0.0, "color": None, "flip": 0.0}


def drawn(seed: int, **settings: Any) -> Sample:
    return Mosaic(SIZE, **settings)(DATA, seed % len(DATA), np.random.default_rng(seed))


def equal(a: Sample, b: Sample) -> bool:
    names = ("image", "boxes", "labels", "ignore_boxes")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names) and (
        (a.image_id, a.geometry, a.dropped) == (b.image_id, b.geometry, b.dropped)
    )


@pytest.mark.parametrize("turn", [RandomTurn(), RandomTurn(0.5, 0.8)])
@pytest.mark.parametrize(("degrees", "flip"), [(0.0, 0.0), (12.0, 0.0), (12.0, 1.0)])
def test_boxes_are_the_extent_of_their_colour(
    degrees: float, flip: float, turn: RandomTurn
) -> None:
    large = Painted(((180, 240), (320, 200), (200, 200), (300, 420), (150, 230)))
    draw = Mosaic(
        SIZE, degrees=degrees, shear=degrees / 3, scale=(0.4, 1.6), mixup=0.0, color=None,
        flip=flip, turn=turn, keep=ALL,
    )  # fmt: skip
    compared = 0
    for seed in range(40):
        sample = draw(large, seed % 5, np.random.default_rng(seed))
        labels = sample.labels.tolist()
        for box, label in zip(sample.boxes, labels):
            cut = box.min() <= 0 or box[2] >= SIZE[1] or box[3] >= SIZE[0]
            # Where a turned rectangle leaves the output its corners are not to be seen, and one
            # image may be drawn twice.
            if (degrees and cut) or labels.count(label) > 1 or min(box[2:] - box[:2]) < 8:
                continue
            found = extent(sample.image, label)
            assert found is not None, (seed, label)
            assert np.abs(box - found).max() <= 1.5, (seed, label)
            compared += 1
    assert compared > 60


def page(seed: int) -> npt.NDArray[np.uint8]:
    """The recipe as it is published: a page of twice the size, then one warp of it."""
    rng = np.random.default_rng(seed)
    rng.random(2)  # mosaic, mirror
    height, width = SIZE
    x, y = (int(rng.uniform(0.5 * s, 1.5 * s)) for s in (width, height))
    indices = [seed % len(DATA), *rng.integers(len(DATA), size=3).tolist()]
    matrix = random_affine(rng, SIZE, 10.0, 0.1, (0.5, 1.5), 2.0)
    canvas = np.full((2 * height, 2 * width, 3), 114, np.uint8)
    for corner, index in enumerate(indices):
        image = DATA.load(index).image
        tall, wide = letterbox((image.shape[0], image.shape[1]), SIZE)
        image = cv2.resize(image, (wide, tall))
        left, top = x - wide * (corner in (0, 2)), y - tall * (corner in (0, 1))
        x1, y1, x2, y2 = (
            max(left, 0),
            max(top, 0),
            min(left + wide, 2 * width),
            min(top + tall, 2 * height),
        )
        canvas[y1:y2, x1:x2] = image[y1 - top : y2 - top, x1 - left : x2 - left]
    x0, y0 = matrix.point(0.5, 0.5)
    centred = np.array([[*matrix[:2], x0 - 0.5], [*matrix[3:5], y0 - 0.5]])
    return np.asarray(
        cv2.warpAffine(canvas, centred, (width, height), borderValue=(114, 114, 114)), np.uint8
    )


@pytest.mark.parametrize("seed", range(12))
def test_direct_warps_show_what_the_page_shows(seed: int) -> None:
    sample = drawn(seed, scale=(0.5, 1.5), **PLAIN)
    difference = np.abs(sample.image.astype(int) - page(seed)).max(axis=2)
    # Only at the edges of rectangles and images: filtered once here, twice there.
    assert (difference > 40).mean() < 0.04
    inner = cv2.erode((difference <= 40).astype(np.uint8), np.ones((3, 3), np.uint8))
    assert cv2.erode((difference > 40).astype(np.uint8), np.ones((5, 5), np.uint8)).sum() == 0
    assert inner.mean() > 0.8


def test_a_mosaic_says_what_it_is() -> None:
    sample = drawn(3)
    assert sample.geometry == Geometry.identity(SIZE)
    assert sample.image_id == 3
    assert sample.image.shape == (*SIZE, 3)
    assert sample.image.dtype == np.uint8
    assert sample.image.flags.c_contiguous
    assert sample.boxes.dtype == sample.ignore_boxes.dtype == np.float32
    assert sample.labels.dtype == np.int64


class Counting(Painted):
    """Counts what is opened."""

    def load(self, index: int) -> Sample:
        opened.append(index)
        return super().load(index)


opened: list[int] = []


def test_what_is_not_seen_is_not_opened() -> None:
    counts = []
    for seed in range(30):
        opened.clear()
        Mosaic(SIZE, scale=(1.5, 2.0), **PLAIN)(Counting(), 0, np.random.default_rng(seed))
        counts.append(len(opened))
    assert min(counts) <= 1  # a zoom on the page's corner shows one image at most
    opened.clear()
    Mosaic(SIZE, scale=(0.3, 0.3), degrees=0, translate=0, shear=0, **PLAIN)(
        Counting(), 0, np.random.default_rng(0)
    )
    assert len(opened) == 4


def test_pure_and_picklable() -> None:
    draw = Mosaic(SIZE, copy_paste=0.5)
    again = pickle.loads(pickle.dumps(draw))
    for seed in range(10):
        first = draw(DATA, 1, np.random.default_rng(seed))
        assert equal(first, again(DATA, 1, np.random.default_rng(seed)))
        assert not equal(first, draw(DATA, 1, np.random.default_rng(seed + 100)))


@pytest.mark.parametrize("workers", [1, 2])  # a spawned one: see test_cache.py
def test_same_batches_for_any_number_of_workers(workers: int) -> None:
    def batches(**settings: Any) -> list[Any]:
        order = BatchOrder(DATA.sizes, 3, seed=1)
        plan = RoundRobin((Mosaic((96, 96), p=0.7, copy_paste=0.5),))
        return list(islice(build_loader(DATA, plan, order, seed=2, **settings), 3))

    alone = batches()
    for a, b in zip(alone, batches(workers=workers), strict=True):
        assert (a.images == b.images).all()
        assert (a.image_ids, a.geometries, a.dropped) == (b.image_ids, b.geometries, b.dropped)
        for x, y in zip(a.targets, b.targets, strict=True):
            assert (x.boxes == y.boxes).all()
            assert (x.labels == y.labels).all()
            assert (x.ignore_boxes == y.ignore_boxes).all()
    assert sum(batch.dropped for batch in alone) > 0


def test_without_a_mosaic_it_is_the_letterbox() -> None:
    for index in range(len(DATA)):
        rng = np.random.default_rng(0)
        sample = Mosaic(SIZE, p=0.0, color=None, flip=0.0)(DATA, index, rng)
        assert equal(sample, Letterbox(SIZE)(DATA.load(index), rng))
    mirrored = Mosaic(SIZE, p=0.0, flip=1.0)(DATA, 0, np.random.default_rng(0))
    assert mirrored.geometry.scale[0] < 0
    padding = mirrored.image[mirrored.geometry.input_size[0] :]
    assert padding.size
    assert (padding == 114).all()  # neither moved by the mirror nor coloured


def test_mixup_is_the_mean_of_two() -> None:
    settings = {**PLAIN, "mixup": 1.0, "mixup_scale": (1.0, 1.0), "scale": (0.4, 0.6)}
    for seed in range(8):
        alone, mixed = drawn(seed, **{**settings, "mixup": 0.0}), drawn(seed, **settings)
        other = 2 * mixed.image.astype(int) - alone.image
        assert other.min() >= -1
        assert other.max() <= 256
        # Its image fills one of the sides; the rest is grey.
        assert (np.abs(other - 114).max(axis=2) > 3).mean() > 0.2
        assert len(mixed.boxes) == len(alone.boxes) + 4
        for box, label in zip(mixed.boxes[-4:].round().astype(int), mixed.labels[-4:].tolist()):
            inside = other[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2]
            assert np.abs(inside - colour(label)).max() <= 3


def test_mixup_needs_objects_on_both_sides() -> None:
    class Empty(Painted):
        def ground_truth(self, index: int) -> Any:
            whole = super().ground_truth(index)
            none = np.zeros((0, 4), np.float32)
            return replace(whole, boxes=none, labels=whole.labels[:0], ignore_boxes=none)

        def load(self, index: int) -> Sample:
            return shrunk_sample(self.ground_truth(index), super().load(index).image)

    sample = Mosaic(SIZE, copy_paste=1.0)(Empty(), 0, np.random.default_rng(0))
    assert len(sample.boxes) == len(sample.ignore_boxes) == sample.dropped == 0


def test_another_image_in_place_of_an_unreadable_one_is_placed_by_its_own_size() -> None:
    class Broken(Painted):
        def load(self, index: int) -> Sample:
            return super().load(3 if index != 3 else index)  # 200 x 300 for every image

    for seed in range(10):
        sample = Mosaic(SIZE, degrees=0, shear=0, scale=(0.5, 0.5), **PLAIN)(
            Broken(), 0, np.random.default_rng(seed)
        )
        assert set(sample.labels.tolist()) <= {12, 13, 14, 15}
        for box, label in zip(sample.boxes.round().astype(int), sample.labels.tolist()):
            inside = sample.image[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2]
            assert np.abs(inside.astype(int) - colour(label)).max() <= 1


def test_pasted_objects_hide_little_and_have_their_colours() -> None:
    there = np.array([[10, 10, 60, 60], [100, 20, 160, 120], [20, 80, 80, 130]], np.float32)
    before = Objects(there, np.array([90, 91, 92]), np.zeros((0, 4), np.float32))
    pasted = 0
    for seed in range(30):
        canvas = blank_canvas(SIZE, 114)
        rule = CopyPaste(most=8, max_hidden=0.25, scale=(0.4, 0.9))
        rng = np.random.default_rng(seed)
        after = copy_paste(canvas, before, DATA, rng, rule, ALL, Turn())
        assert np.array_equal(after.boxes[:3], there)
        new = after.boxes[3:].round().astype(int)
        changed = (canvas[..., :3] != 114).any(axis=2)
        for x1, y1, x2, y2 in there.astype(int):
            assert changed[y1:y2, x1:x2].mean() <= 0.25
        for (x1, y1, x2, y2), label in zip(new, after.labels[3:].tolist()):
            own = np.abs(canvas[y1:y2, x1:x2, :3].astype(int) - colour(label)).max(axis=2) <= 2
            assert own.mean() >= 0.7  # at most a quarter is hidden by later ones
        pasted += len(new)
    assert pasted > 40


def test_hsv_shift_is_the_published_arithmetic() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    sample = replace(DATA.load(0), image=noise)
    hsv = cv2.cvtColor(noise, cv2.COLOR_RGB2HSV_FULL).astype(int)
    untouched = 0
    for seed in range(200):
        draws = np.random.default_rng(seed)
        shift = draws.uniform(-1, 1, 3) * (10 * 256 / 360, 30, 30) * draws.integers(0, 2, 3)
        shift = np.trunc(shift).astype(int)
        levels = hsv + shift
        levels[..., 0] %= 256
        expected = cv2.cvtColor(np.clip(levels, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB_FULL)
        found = hsv_shift(sample, np.random.default_rng(seed))
        if shift.any():
            assert np.array_equal(found.image, expected)
        else:
            assert found is sample
            untouched += 1
    assert 10 < untouched < 60  # an eighth, and the draws that round to nothing
    assert np.array_equal(
        HSVShift()(sample, np.random.default_rng(1)).image,
        hsv_shift(sample, np.random.default_rng(1)).image,
    )


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Mosaic(SIZE, p=1.5), "p"),
        (lambda: Mosaic(SIZE, mixup=-0.1), "mixup"),
        (lambda: Mosaic(SIZE, scale=(0.0, 1.0)), "scale"),
        (lambda: Mosaic(SIZE, mixup_scale=(2.0, 1.0)), "mixup_scale"),
        (lambda: Mosaic((0, 5)), "size"),
        (lambda: Mosaic(SIZE, shear=50), "shear"),
        (lambda: CopyPaste(most=0), "most"),
        (lambda: CopyPaste(max_hidden=2), "max_hidden"),
        (lambda: CopyPaste(scale=(1.0, 0.5)), "scale"),
    ],
)
def test_settings_out_of_range(make: Any, name: str) -> None:
    with pytest.raises(InputError, match=name) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_the_ground_is_no_object() -> None:
    assert all(np.abs(np.subtract(colour(i), GROUND)).max() > 100 for i in range(20))
