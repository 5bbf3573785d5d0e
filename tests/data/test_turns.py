"""Vertical flips and quarter turns: boxes stay on their pixels, exactly."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otadet.data import Mosaic, RandomTurn
from otadet.data.turns import Turn
from otadet.exp import load_exp
from tests.data.painted import Painted
from tests.data.test_transforms import marked, sample_with_mark

TURNS = [Turn(mirrored, quarters) for mirrored in (False, True) for quarters in range(4)]


@pytest.mark.parametrize(
    ("turn", "size", "box"),
    [
        (Turn(), (20, 100), [10, 5, 30, 9]),
        (Turn(mirrored=True), (20, 100), [10, 11, 30, 15]),
        (Turn(quarters=1), (100, 20), [11, 10, 15, 30]),
        (Turn(quarters=2), (20, 100), [70, 11, 90, 15]),
        (Turn(quarters=3), (100, 20), [5, 70, 9, 90]),
        (Turn(mirrored=True, quarters=1), (100, 20), [5, 10, 9, 30]),
    ],
)
def test_by_hand(turn: Turn, size: tuple[int, int], box: list[int]) -> None:
    sample = sample_with_mark((20, 100), (10, 5, 30, 9))
    turned = turn(sample)
    assert turned.boxes.tolist() == turned.ignore_boxes.tolist() == [box]
    assert turned.image.shape == (*size, 3)
    assert turned.geometry.input_size == turned.geometry.image_size == size
    assert sample.boxes.tolist() == [[10, 5, 30, 9]]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(TURNS), st.tuples(st.integers(2, 60), st.integers(2, 60)), st.data())
def test_boxes_are_exactly_their_pixels(
    turn: Turn, size: tuple[int, int], data: st.DataObject
) -> None:
    x1, x2 = sorted(data.draw(st.tuples(st.integers(0, size[1] - 1), st.integers(1, size[1]))))
    y1, y2 = sorted(data.draw(st.tuples(st.integers(0, size[0] - 1), st.integers(1, size[0]))))
    box = (x1, y1, max(x2, x1 + 1), max(y2, y1 + 1))
    sample = sample_with_mark(size, box)
    turned = turn(sample)
    assert turned.boxes.tolist() == [marked(turned.image)]
    assert turned.boxes.dtype == turned.ignore_boxes.dtype == np.float32
    assert turned.image.flags.c_contiguous and turned.image.shape[:2] == turn.size(size)
    assert list(turn.affine(size).hull(box)) == turned.boxes[0].tolist()
    back = Turn(turn.mirrored, 0 if turn.mirrored else -turn.quarters % 4)
    if turn.mirrored:  # undo the quarters first
        turned = Turn(quarters=-turn.quarters % 4)(turned)
    assert np.array_equal(back(turned).image, sample.image)
    assert np.array_equal(back(turned).boxes, sample.boxes)


def test_draws_are_as_likely_as_they_are_said_to_be() -> None:
    always, rng = RandomTurn(1.0, 1.0), np.random.default_rng(0)
    assert pickle.loads(pickle.dumps(always)) == always
    drawn = [always.draw(rng) for _ in range(600)]
    assert all(turn.mirrored for turn in drawn)
    counts = np.bincount([turn.quarters for turn in drawn], minlength=4)
    assert counts[0] == 0 and counts[1:].min() > 150
    half = [RandomTurn(0.5, 0.5).draw(rng) for _ in range(600)]
    assert 240 < sum(turn.mirrored for turn in half) < 360
    assert 240 < sum(turn.quarters > 0 for turn in half) < 360
    untouched = np.random.default_rng(1)
    assert RandomTurn().draw(untouched) == Turn()
    assert untouched.random() == np.random.default_rng(1).random()  # older runs stay as they were


@pytest.mark.parametrize("experiment", ["quickstart", "yolox_nano"])
def test_both_recipes_follow_the_settings(experiment: str) -> None:
    def images(**values: Any) -> np.ndarray:
        exp = load_exp(name=experiment, overrides={**plain, **values})
        build = exp.train_sample_builder((64, 64))
        data = Painted(((64, 64),))
        return np.stack([build(data, 0, np.random.default_rng(s)).image for s in range(3)])

    plain = {"flip": 0.0, "color_jitter": False}
    plain |= {"mosaic": 0.0} if experiment == "yolox_nano" else {"crop": 0.0}
    upright = images()
    assert np.array_equal(images(flip_vertical=1.0), upright[:, ::-1])
    for turned, image in zip(images(quarter_turns=1.0), upright):
        assert any(np.array_equal(turned, np.rot90(image, k)) for k in (1, 2, 3))


def test_a_letterboxed_image_is_turned_before_it_is_padded() -> None:
    mosaic = Mosaic((64, 64), p=0.0, color=None, flip=0.0, turn=RandomTurn(0.0, 1.0))
    sizes = {
        mosaic(Painted(((40, 64),)), 0, np.random.default_rng(s)).geometry.input_size
        for s in range(12)
    }
    assert sizes == {(40, 64), (64, 40)}
