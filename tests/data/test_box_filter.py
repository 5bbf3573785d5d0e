"""What becomes of cut objects, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from otadet.data.affine import scaling
from otadet.data.box_filter import BoxFilter, join, map_objects
from otadet.errors import InputError
from otadet.geometry import Geometry
from otadet.types import Sample


def sample(*boxes: tuple[float, float, float, float]) -> Sample:
    table = np.array(boxes, np.float32).reshape(-1, 4)
    ignored = np.array([[0, 0, 10, 10], [90, 90, 100, 100]], np.float32)
    labels = np.arange(len(table))
    image = np.zeros((100, 100, 3), np.uint8)
    return Sample(image, table, labels, ignored, 1, Geometry.identity((100, 100)))


def test_by_hand() -> None:
    """Left half of a 100 px image, doubled, into an output of 80 x 100 (height x width)."""
    before = sample(
        (10, 10, 20, 20),  # whole: 20 40 at twice the size
        (40, 10, 80, 20),  # a quarter is in the part
        (45, 10, 95, 20),  # a tenth
        (60, 10, 70, 20),  # nothing
        (0, 35, 20, 55),  # a quarter above the output's lower edge
        (0, 39, 20, 69),  # a thirtieth
        (30, 30, 30.9, 38),  # 1.8 px wide afterwards
        (1, 22, 2.1, 38),  # thin by nature: 2.2 x 32
    )
    found = map_objects(before, scaling(2, 2), (0, 0, 50, 100), (80, 100), BoxFilter())
    assert found.labels.tolist() == [0, 1, 4, 7]
    expected = [(20, 20, 40, 40), (80, 20, 100, 40), (0, 70, 40, 80), (2, 44, 4.2, 76)]
    assert np.allclose(found.boxes, expected)
    own, lost = found.ignore_boxes[:1], found.ignore_boxes[1:]
    assert own.tolist() == [[0, 0, 20, 20]]  # the second ignore region is outside
    assert np.allclose(lost, [(90, 20, 100, 40), (0, 78, 40, 80), (60, 60, 61.8, 76)])
    assert found.dropped == 3
    assert found.boxes.dtype == found.ignore_boxes.dtype == np.float32


def test_a_sliver_is_dropped_only_where_it_was_cut() -> None:
    long = (0, 10, 60, 12)  # 30 : 1
    whole = map_objects(sample(long), scaling(1, 1), (0, 0, 100, 100), (100, 100), BoxFilter())
    assert (len(whole), whole.dropped) == (1, 0)
    cut = map_objects(sample(long), scaling(1, 1), (0, 0, 50, 100), (100, 100), BoxFilter())
    assert (len(cut), cut.dropped) == (0, 1)  # 25 : 1
    free = map_objects(
        sample(long), scaling(1, 1), (0, 0, 50, 100), (100, 100), BoxFilter(max_aspect=25)
    )
    assert (len(free), free.dropped) == (1, 0)


def test_nothing_joins_to_nothing() -> None:
    none = join([])
    assert none.boxes.shape == none.ignore_boxes.shape == (0, 4)
    assert none.labels.dtype == np.int64
    empty = map_objects(sample(), scaling(1, 1), (0, 0, 100, 100), (100, 100), BoxFilter())
    both = join([empty, none])
    assert (len(both), both.dropped, len(both.ignore_boxes)) == (0, 0, 2)


@pytest.mark.parametrize("wrong", [{"min_visible": 2}, {"min_side": -1}, {"max_aspect": 0.5}])
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        BoxFilter(**wrong)
