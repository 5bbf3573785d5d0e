"""Pixels, boxes and geometry move together."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from otadet.data import (
    ColorJitter,
    Compose,
    Flip,
    Letterbox,
    RandomCrop,
    ResizeShortest,
    ScaleJitter,
    color_jitter,
    flip,
    letterbox,
    random_crop,
    resize_shortest,
    scale_jitter,
)
from otadet.geometry import Geometry, Size
from otadet.types import Sample


def sample_with_mark(size: Size, box: tuple[int, int, int, int]) -> Sample:
    """A dark image with one white rectangle, which is also its object and ignore region."""
    image = np.zeros((*size, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    boxes = np.array([box], np.float32)
    return Sample(image, boxes, np.array([0]), boxes.copy(), 1, Geometry.identity(size))


def marked(image: np.ndarray) -> list[int]:
    """Bounds of what is brighter than half."""
    y, x = np.nonzero(image[..., 0] > 127)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


STEPS: dict[str, Callable[[Sample, np.random.Generator], Sample]] = {
    "resize": ResizeShortest(90, 200),
    "letterbox": Letterbox((96, 96), fill=0),
    "flip": Flip(1.0),
    "jitter": ScaleJitter((40, 160), 240),
    "crop": RandomCrop(1.0, 0.8, 0.1),
    "flip, jitter": Compose((Flip(1.0), ScaleJitter((40, 160), 240))),
    "all": Compose(
        (Flip(), RandomCrop(1.0, 0.8, 0.1), Flip(), ScaleJitter((70, 130), 240),
         Letterbox((128, 160), fill=0))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), wide=st.integers(60, 150), tall=st.integers(60, 150))
def test_the_box_stays_on_its_pixels(name: str, seed: int, wide: int, tall: int) -> None:
    box = (wide // 3, tall // 3, wide // 3 + 20, tall // 3 + 15)
    before = sample_with_mark((tall, wide), box)
    after = STEPS[name](before, np.random.default_rng(seed))
    if not len(after.boxes):  # cropped away
        assert name in ("crop", "all")
        return
    assert np.abs(after.boxes[0] - marked(after.image)).max() <= 1.5
    assert np.allclose(after.ignore_boxes[0], after.boxes[0])
    assert after.boxes.dtype == after.ignore_boxes.dtype == np.float32
    height, width = after.geometry.input_size
    assert after.image.shape[0] >= height
    assert after.image.shape[1] >= width
    # The geometry says the same, there and (where nothing was cut off) back.
    there = after.geometry.to_input(before.boxes)
    cut = np.clip(there, 0, [width, height, width, height])
    assert np.allclose(after.boxes, cut, atol=1e-2)
    if np.allclose(there, cut):
        back = after.geometry.to_image(torch.from_numpy(after.boxes))
        assert np.allclose(back.numpy(), before.boxes, atol=1e-2)


@pytest.mark.parametrize("step", [*STEPS.values(), ColorJitter()])
def test_pure_and_repeatable(step: Callable[[Sample, np.random.Generator], Sample]) -> None:
    rng = np.random.default_rng(0)
    sample = sample_with_mark((70, 90), (10, 10, 60, 60))
    sample = replace(sample, image=rng.integers(0, 256, sample.image.shape, dtype=np.uint8))
    copies = [value.copy() for value in (sample.image, sample.boxes, sample.ignore_boxes)]
    first = step(sample, np.random.default_rng(7))
    second = pickle.loads(pickle.dumps(step))(sample, np.random.default_rng(7))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.boxes, second.boxes)
    for value, copy in zip((sample.image, sample.boxes, sample.ignore_boxes), copies):
        assert np.array_equal(value, copy)
    assert first.image.flags.c_contiguous


def test_sizes_by_hand() -> None:
    sample = sample_with_mark((480, 640), (0, 0, 9, 9))
    assert resize_shortest(sample, 800, 1333).image.shape == (800, 1067, 3)
    assert resize_shortest(sample, 1200, 1333).image.shape == (1000, 1333, 3)
    boxed = letterbox(sample, (416, 416))
    assert boxed.image.shape == (416, 416, 3)
    assert boxed.geometry.input_size == (312, 416)
    assert (boxed.image[312:] == 114).all()
    assert (boxed.image[20:312] == 0).all()
    assert boxed.boxes[0] == pytest.approx([0, 0, 5.85, 5.85])
    drawn = {
        min(scale_jitter(sample, np.random.default_rng(i), (30, 32), 999).image.shape[:2])
        for i in range(40)
    }
    assert drawn == {30, 31, 32}


def test_flip_by_hand() -> None:
    sample = sample_with_mark((20, 100), (10, 5, 30, 9))
    always = flip(sample, np.random.default_rng(0), 1.0)
    assert always.boxes.tolist() == [[70, 5, 90, 9]]
    assert np.array_equal(always.image, sample.image[:, ::-1])
    assert flip(sample, np.random.default_rng(0), 0.0) is sample
    flips = sum(flip(sample, np.random.default_rng(i)) is not sample for i in range(400))
    assert 150 < flips < 250


def test_what_is_mostly_cut_off_becomes_an_ignore_region() -> None:
    seen = set()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sample = sample_with_mark((100, 100), (80, 40, 100, 60))
        cropped = random_crop(sample, rng, 0.5, min_visible=0.6)
        visible = 0.0
        if len(cropped.ignore_boxes):
            low, high = cropped.ignore_boxes[0, :2], cropped.ignore_boxes[0, 2:]
            visible = float((high - low).prod()) / 400
        expected = "object" if visible >= 0.6 else "ignored" if visible > 0 else "gone"
        assert len(cropped.boxes) == len(cropped.labels) == (expected == "object")
        # Its own ignore region is cut too; the second one is the hidden object.
        assert len(cropped.ignore_boxes) == {"object": 1, "ignored": 2, "gone": 0}[expected]
        seen.add(expected)
    assert seen == {"object", "ignored", "gone"}


@pytest.mark.parametrize("step", [Flip(1.0), ResizeShortest(9, 99), RandomCrop(1.0)])
def test_nothing_but_padding_after_letterbox(
    step: Callable[[Sample, np.random.Generator], Sample],
) -> None:
    padded = letterbox(sample_with_mark((50, 90), (1, 1, 9, 9)), (64, 64))
    with pytest.raises(ValueError, match=r"image id 1: .*letterbox must be the last step"):
        step(padded, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(4))
def test_color_jitter_is_hsv_arithmetic(seed: int) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    sample = replace(sample_with_mark((16, 16), (1, 1, 5, 5)), image=image)
    changed = color_jitter(sample, np.random.default_rng(seed), 0.1, 0.5, 0.5)
    factors = 1 + np.random.default_rng(seed).uniform(-1, 1, 3) * (0.1, 0.5, 0.5)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(float) * factors
    hsv[..., 0] %= 180
    slow = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    assert np.array_equal(changed.image, slow)
    same = color_jitter(sample, np.random.default_rng(seed), 0, 0, 0)
    assert np.abs(same.image.astype(int) - image).max() <= 8  # HSV of 8 bits is coarse
    assert changed.boxes is sample.boxes
