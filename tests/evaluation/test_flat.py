"""Pairs of overlapping boxes in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from otadet.evaluation import flat
from otadet.evaluation.flat import BoxTable, overlapping, share_inside


def table(rng: np.random.Generator, count: int) -> BoxTable:
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (count, 2))], axis=1)
    return BoxTable(boxes, rng.integers(-1, 3, count), np.sort(rng.integers(0, 4, count)))


@pytest.mark.parametrize("pairs", [1, 50, 700])
def test_pairs_are_the_same_however_many_at_a_time(
    pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    first, second = table(rng, 120), table(rng, 90)
    found, share = overlapping(first, second, 0.3), share_inside(first, second)
    assert len(found.first) > 100 and (share > 0).any()
    monkeypatch.setattr(flat, "PAIRS", pairs)
    for mine, whole in zip(overlapping(first, second, 0.3), found):
        assert np.array_equal(mine, whole)
    assert np.array_equal(share_inside(first, second), share)
