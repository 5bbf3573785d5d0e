"""Maps, and images painted through them."""

from __future__ import annotations

from math import cos, radians, sin, tan

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otadet.data.affine import Affine, mirror, paint, random_affine, scaling
from otadet.data.canvas import blank_canvas

maps = st.builds(
    lambda seed, flip: (mirror(200) if flip else scaling(1, 1)).after(
        random_affine(np.random.default_rng(seed), (200, 200), 30, 0.3, (0.15, 2.5), 15)
    ),
    st.integers(0, 2**32),
    st.booleans(),
)


def dense(matrix: Affine) -> npt.NDArray[np.float64]:
    return np.array([matrix[:3], matrix[3:], (0, 0, 1)])


@given(maps, maps)
def test_composition_and_inverse_are_those_of_matrices(a: Affine, b: Affine) -> None:
    assert np.allclose(dense(a.after(b)), dense(a) @ dense(b))
    assert np.allclose(dense(a.inverse()), np.linalg.inv(dense(a)))
    assert a.zoom == pytest.approx(abs(np.linalg.det(dense(a))) ** 0.5)


@given(maps)
def test_a_hull_encloses_the_four_corners(matrix: Affine) -> None:
    rect = (3.0, 5.0, 40.0, 21.0)
    corners = np.array([matrix.point(x, y) for x in rect[::2] for y in rect[1::2]])
    expected = [*corners.min(0), *corners.max(0)]
    assert matrix.hull(rect) == pytest.approx(expected)
    corners = np.array([rect, (0, 0, 1, 1)]).T
    low, high = matrix.hulls(corners[:2], corners[2:])
    assert [*low[:, 0], *high[:, 0]] == pytest.approx(expected)


def test_the_random_map_is_the_published_one() -> None:
    draws = np.random.default_rng(4)
    angle, scale = radians(draws.uniform(-10, 10)), draws.uniform(0.1, 2)
    shear_x, shear_y = (tan(radians(draws.uniform(-2, 2))) for _ in range(2))
    move_x, move_y = draws.uniform(-0.1, 0.1) * 300, draws.uniform(-0.1, 0.1) * 200
    rotation = scale * np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    rows = [rotation[0] + shear_y * rotation[1], rotation[1] + shear_x * rotation[0]]
    found = dense(random_affine(np.random.default_rng(4), (200, 300), 10, 0.1, (0.1, 2), 2))
    assert np.allclose(found[:2, :2], rows)
    assert np.allclose(found[:2, 2], [move_x, move_y])


@settings(max_examples=60, deadline=None)
@given(maps)
def test_painted_pixels_are_where_the_map_says(matrix: Affine) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 50:120] = 255
    canvas = blank_canvas((200, 200), 0)
    paint(canvas, image, matrix, (0, 0, 160, 120))
    x1, y1, x2, y2 = matrix.hull((50, 40, 120, 80))
    if min(x1, y1) < 2 or max(x2, y2) > 198:
        return
    y, x = np.nonzero(canvas[..., 0] > 100)
    found = [x.min(), y.min(), x.max() + 1, y.max() + 1]
    # A corner of less than a right angle is thin: its last pixels are fainter than half.
    assert np.abs(np.array(found) - (x1, y1, x2, y2)).max() <= 1.5


@settings(max_examples=30, deadline=None)
@given(maps)
def test_parts_that_touch_leave_no_seam(matrix: Affine) -> None:
    """One colour, painted in four parts, is one colour; beside it nothing changes."""
    image = np.full((120, 160, 3), (250, 10, 90), np.uint8)
    canvas = blank_canvas((200, 200), 114)
    for left, right in ((0, 70.3), (70.3, 160)):
        for top, bottom in ((0, 51.7), (51.7, 120)):
            paint(canvas, image, matrix, (left, top, right, bottom))
    corners = np.array([matrix.point(x, y) for x, y in ((0, 0), (160, 0), (160, 120), (0, 120))])
    inside, around = inside_quad(corners, (200, 200), margin=5), np.ones((5, 5), np.uint8)
    grown = cv2.dilate(inside, around)[5:-5, 5:-5]
    shrunk = cv2.erode(inside, around)[5:-5, 5:-5]
    assert (canvas[shrunk > 0][:, :3] == (250, 10, 90)).all()
    assert (canvas[grown == 0][:, :3] == 114).all()
    own, grey = ((canvas[..., :3] == c).all(axis=2) for c in ((250, 10, 90), 114))
    assert (own | grey).all()


def inside_quad(
    corners: npt.NDArray[np.float64], size: tuple[int, int], margin: int
) -> npt.NDArray[np.uint8]:
    """1 where a pixel's centre is inside, with ``margin`` more pixels on each side."""
    y, x = np.mgrid[-margin : size[0] + margin, -margin : size[1] + margin] + 0.5
    inside = np.ones(x.shape, bool)
    side = np.sign(np.linalg.det([corners[1] - corners[0], corners[2] - corners[1]]))
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0)):
        inside &= side * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) >= 0
    return inside.astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(maps)
def test_inside_it_is_opencvs_warp(matrix: Affine) -> None:
    if matrix.zoom < 1:  # below, blocks may be averaged first
        matrix = matrix.after(scaling(1 / matrix.zoom, 1 / matrix.zoom))
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(noise, (160, 120)), np.uint8)
    canvas = blank_canvas((200, 200), 0)
    paint(canvas, image, matrix, (0, 0, 160, 120))
    x0, y0 = matrix.point(0.5, 0.5)
    centred = np.array([[*matrix[:2], x0 - 0.5], [*matrix[3:5], y0 - 0.5]])
    whole = cv2.warpAffine(image, centred, (200, 200))
    sure = cv2.warpAffine(np.full((120, 160), 255, np.uint8), centred, (200, 200))
    inner = cv2.erode(sure, np.ones((5, 5), np.uint8)) == 255
    inner[[0, -1]] = inner[:, [0, -1]] = False
    difference = np.abs(canvas[inner][:, :3].astype(int) - whole[inner])
    # OpenCV rounds places to parts of a pixel, which the moved origin rounds otherwise.
    assert difference.size == 0 or difference.max() <= 12


def test_small_things_are_averaged_and_do_not_vanish() -> None:
    stripes = np.zeros((160, 160, 3), np.uint8)
    stripes[:, ::4] = 255  # a quarter of the light
    canvas = blank_canvas((40, 40), 0)
    paint(canvas, stripes, scaling(0.25, 0.25), (0, 0, 160, 160))
    assert np.abs(canvas[2:38, 2:38, :3].astype(int) - 64).max() <= 1


def test_nothing_outside_is_painted() -> None:
    canvas = blank_canvas((20, 30), 9)
    image = np.full((10, 10, 3), 200, np.uint8)
    for matrix in (scaling(1, 1, 30, 0), scaling(1, 1, -10, 0), scaling(1, 1, 0, 20)):
        paint(canvas, image, matrix, (0, 0, 10, 10))
    assert (canvas == 9).all()
    paint(canvas, image, scaling(1, 1, 5, 4), (2, 3, 6, 9))
    assert (canvas[7:13, 7:11, :3] == 200).all()
    assert (canvas[..., 0] == 200).sum() <= 7 * 5  # the part alone, its borders rounded
