"""The map between the frames: there and back, flips, resizes, rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from otadet.geometry import Geometry, letterbox, padded, shortest_edge

sides = st.integers(16, 2000)


@given(sides, sides, sides, sides, st.booleans(), st.booleans())
def test_there_and_back(h: int, w: int, th: int, tw: int, before: bool, after: bool) -> None:
    geometry = Geometry.identity((h, w))
    geometry = geometry.flipped() if before else geometry
    geometry = geometry.resized((th, tw))
    geometry = geometry.flipped() if after else geometry
    box = np.array([[w * 0.1, h * 0.2, w * 0.6, h * 0.9]], np.float32)
    there = geometry.to_input(box)
    assert (there[:, 2:] > there[:, :2]).all()
    assert there.min() >= -1e-3 and there[0, 2] <= tw + 1e-2 and there[0, 3] <= th + 1e-2
    back = geometry.to_image(torch.from_numpy(there))
    assert np.allclose(back.numpy(), box, atol=1e-2)


def test_a_flip_by_hand() -> None:
    geometry = Geometry.identity((10, 100)).flipped()
    assert geometry.to_input(np.array([[0, 0, 30, 10]], np.float32)).tolist() == [[70, 0, 100, 10]]


def test_boxes_are_clipped_to_the_image() -> None:
    geometry = Geometry.identity((10, 20)).resized((20, 40))
    assert geometry.to_image(torch.tensor([[-5.0, -5.0, 99.0, 99.0]])).tolist() == [[0, 0, 20, 10]]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((480, 640), (800, 1067)), ((640, 480), (1067, 800)), ((300, 1200), (333, 1333))],
)
def test_shortest_edge_of_the_paper(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shortest_edge(size, 800, 1333) == expected


def test_letterbox_and_padding() -> None:
    assert letterbox((480, 640), (416, 416)) == (312, 416)
    assert letterbox((1, 5000), (416, 416)) == (1, 416)
    assert padded((312, 416), 32) == (320, 416)
