"""Names and direction of an evaluator's metrics without detections."""

from collections.abc import Sequence

import pytest

from otadet.errors import InputError
from otadet.evaluation import (
    METRIC_NAMES,
    DetectionColumns,
    Evaluation,
    Evaluator,
    Measure,
    build_evaluator,
)
from otadet.types import GroundTruth
from tests.evaluation.scenes import gt_of
from tests.evaluation.slow_crowd import Scene


def count(gts: Sequence[GroundTruth], names: Sequence[str], found: DetectionColumns) -> Evaluation:
    return Evaluation({"images": float(len(gts)), "detections": float(len(found.scores))}, ())


def never(gts: Sequence[GroundTruth], names: Sequence[str], found: DetectionColumns) -> Evaluation:
    raise AssertionError("computed, though its names are stated")


def test_names_of_the_built_in_measures() -> None:
    evaluator = build_evaluator([], ("a",), ("voc07", "coco", "crowdhuman"))
    assert evaluator.names[:2] == ("VOC07AP", "AP")
    assert set(METRIC_NAMES) < set(evaluator.names) and "JI" in evaluator.names
    assert evaluator.lower_is_better == {"MR"}


def test_names_of_a_plain_function_are_those_it_returns() -> None:
    gts = [gt_of(0, Scene())]
    assert Evaluator(gts, ("a",), [count]).names == ("images", "detections")
    evaluator = Evaluator(gts, ("a",), [Measure(never, ("errors",), {"errors"})])
    assert evaluator.names == ("errors",) and evaluator.lower_is_better == {"errors"}
    both = Evaluator(gts, ("a",), [count, *build_evaluator([], ("a",), ("voc10",)).measures])
    assert both.names == ("images", "detections", "VOC10AP")


def test_the_direction_belongs_to_the_evaluator() -> None:
    """A miss rate by the same name as CrowdHuman's is better where it is lower because it is so
    stated, not because of its name."""
    stated = Evaluator([], ("a",), [Measure(count, ("MR",), {"MR"})])
    plain = Evaluator([], ("a",), [Measure(count, ("MR",))])
    assert stated.improves("MR", 0.1, 0.2) and not stated.improves("MR", 0.3, 0.2)
    assert not plain.improves("MR", 0.1, 0.2) and plain.improves("MR", 0.3, 0.2)


def test_a_measure_that_returns_other_names() -> None:
    evaluator = Evaluator([], ("a",), [Measure(count, ("detections", "F1"))])
    expected = r"measure of detections, F1: expected .* got images, detections"
    with pytest.raises(InputError, match=expected):
        evaluator.compute()
