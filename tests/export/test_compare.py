"""When two sets of detections are the same."""

import dataclasses

import torch

from otadet.export.compare import Agreement, agreement
from otadet.postprocess import Postprocess
from otadet.types import Detections

RULES = Postprocess(score_threshold=0.1, nms_threshold=0.5, max_detections=3)


def found(*rows: tuple[float, float, int]) -> Detections:
    """Squares of 10 px from rows of left edge, score, label."""
    left = torch.tensor([r[0] for r in rows])
    zero = torch.zeros(len(rows))
    return Detections(
        torch.stack([left, zero, left + 10, zero + 10], dim=1).reshape(-1, 4),
        torch.tensor([r[1] for r in rows]),
        torch.tensor([r[2] for r in rows], dtype=torch.int64),
    )


def compared(a: Detections, b: Detections) -> Agreement:
    return agreement(a, b, RULES, box_limit=0.05, score_limit=1e-4)


def test_rounding_is_equal_and_order_does_not_matter() -> None:
    a, b = found((0, 0.9, 0), (50, 0.9, 1)), found((50.01, 0.90005, 1), (0, 0.9, 0))
    assert compared(a, b) == Agreement(2, 0, 0)
    assert compared(a, b).share == 1


def test_another_class_box_or_score_is_different_on_both_sides() -> None:
    a = found((0, 0.9, 0))
    for b in (found((0, 0.9, 1)), found((0.2, 0.5, 0)), found((0, 0.91, 0)), found((30, 0.9, 0))):
        assert compared(a, b) == Agreement(0, 0, 2)
    assert compared(a, found()) == Agreement(0, 0, 1)
    assert compared(found(), found()).share == 1


def test_a_partner_serves_once() -> None:
    twice = found((0, 0.9, 0), (0, 0.9, 0))
    assert compared(twice, found((0, 0.9, 0))).equal == 1


def test_ties_that_rounding_decides() -> None:
    # at the threshold; instead of an equally good neighbour; the last place of a full list
    assert compared(found((0, 0.10001, 0)), found()) == Agreement(0, 1, 0)
    assert compared(found((0, 0.9, 0)), found((1, 0.90001, 0))) == Agreement(0, 2, 0)
    full = found((0, 0.9, 0), (30, 0.8, 0), (60, 0.7, 0))
    other = found((0, 0.9, 0), (30, 0.8, 0), (90, 0.70001, 0))
    assert compared(full, other) == Agreement(2, 2, 0)
    # a neighbour that NMS would leave alone is no excuse
    assert compared(found((0, 0.9, 0)), found((8, 0.90001, 0))) == Agreement(0, 0, 2)


def test_the_best_of_two_equal_classes_is_a_matter_of_rounding_where_only_one_may_stay() -> None:
    best = dataclasses.replace(RULES, point_labels="best")
    a, b = found((0, 0.9, 0)), found((0, 0.90001, 1))
    assert agreement(a, b, best, 0.05, 1e-4) == Agreement(0, 2, 0)
    assert compared(a, b) == Agreement(0, 0, 2)
    assert agreement(a, found((0, 0.91, 1)), best, 0.05, 1e-4) == Agreement(0, 0, 2)
    assert agreement(a, found((1, 0.9, 1)), best, 0.05, 1e-4) == Agreement(0, 0, 2)
