"""Boxes and points against numbers worked by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from otadet import boxes
from otadet.points import grid_of, grid_points
from otadet.types import GridLevel, Points, Target

A = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 4.0, 4.0], [5.0, 5.0, 5.0, 5.0]])
B = torch.tensor([[5.0, 0.0, 15.0, 10.0], [0.0, 0.0, 4.0, 4.0], [5.0, 5.0, 5.0, 5.0]])


def test_iou_by_hand() -> None:
    assert boxes.aligned_iou(A, B).tolist() == pytest.approx([50 / 150, 1.0, 0.0])
    table = boxes.pairwise_iou(A, B)
    assert table[0].tolist() == pytest.approx([50 / 150, 16 / 100, 0.0])
    assert not table.isnan().any()


def test_aligned_iou_is_the_diagonal_of_pairwise() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand((50, 2, 2), generator=generator) * 100
    a = torch.cat([corners.amin(1), corners.amax(1)], dim=1)
    b = a.roll(1, 0)
    assert torch.allclose(boxes.aligned_iou(a, b), boxes.pairwise_iou(a, b).diag(), atol=1e-6)


def test_iou_of_half_precision_is_computed_in_float32() -> None:
    a = torch.tensor([[1000.0, 1000.0, 1600.0, 1600.0]], dtype=torch.float16)
    assert boxes.aligned_iou(a, a).item() == 1.0  # 600 * 600 is more than float16 can hold
    assert boxes.pairwise_iou(a, a).item() == 1.0


def test_conversions() -> None:
    xy = torch.tensor([[2.0, 3.0]])
    ltrb = boxes.ltrb_from_points(xy, torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
    assert ltrb.tolist() == [[2, 3, 8, 7]]
    assert boxes.boxes_from_ltrb(xy, ltrb).tolist() == [[0, 0, 10, 10]]


def test_grid_points_by_hand() -> None:
    points = grid_points([GridLevel(1, 2, 8), GridLevel(1, 1, 16)])
    assert points.xy.tolist() == [[4, 4], [12, 4], [8, 8]]
    assert points.stride.tolist() == [8, 8, 16]
    assert points.level.tolist() == [0, 0, 1]


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([4, 8, 32])),
        min_size=1,
        max_size=3,
    )
)
def test_the_grid_is_found_again_from_coordinates(shape: list[tuple[int, int, int]]) -> None:
    levels = tuple(GridLevel(*s) for s in shape)
    points = grid_points(levels)
    assert grid_of(Points(points.xy, points.stride, points.level)) == levels


def test_points_that_are_no_grid_are_not_taken_for_one() -> None:
    points = grid_points([GridLevel(2, 2, 8)])
    assert grid_of(Points(points.xy[:3], points.stride[:3], points.level[:3])) is None
    assert grid_of(Points(points.xy + 1, points.stride, points.level)) is None


@pytest.mark.parametrize(
    ("box", "label", "word"),
    [
        (torch.zeros(4), torch.zeros(1, dtype=torch.int64), r"Target.boxes: expected shape"),
        (torch.zeros(2, 4), torch.zeros(1, dtype=torch.int64), r"Target.labels: expected shape"),
        (torch.zeros(1, 4), torch.zeros(1), r"expected int64"),
    ],
)
def test_a_target_checks_its_shapes(box: torch.Tensor, label: torch.Tensor, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Target(box, label)
