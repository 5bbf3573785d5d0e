"""Kinds of errors by hand, sums that reconcile, and AP by size equal to COCO's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from otadet.evaluation import ap_by_size, build_evaluator, error_kinds, operating_points
from otadet.types import Detections, GroundTruth
from tests.evaluation.scenes import columns_of
from tests.evaluation.test_operating_points import CLASSES, crowded

NAMES = ("ant", "bee")


def image(objects: list[tuple[int, int, int, int, int]], number: int = 1) -> GroundTruth:
    """Objects as left, top, width, height and class."""
    rows = np.array(objects, np.float32).reshape(-1, 5)
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    none = np.zeros((0, 4), np.float32)
    areas = rows[:, 2:4].prod(axis=1).astype(np.float64)
    return GroundTruth(number, "a.jpg", (400, 400), boxes, rows[:, 4].astype(int), none, areas)


def found(*rows: tuple[int, int, int, int, int, float]) -> Detections:
    """Detections as left, top, width, height, class and score."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    boxes = torch.cat([table[:, :2], table[:, :2] + table[:, 2:4]], dim=1)
    return Detections(boxes, table[:, 5], table[:, 4].long())


def kinds(gts: list[GroundTruth], detections: dict[int, Detections], score: float = 0.0) -> dict:
    columns = columns_of(gts, detections, NAMES)
    return {each.name: each for each in error_kinds(gts, len(NAMES), columns, score)}


HIT = (10, 10, 100, 100, 0, 0.9)
CASES = {
    "class": ((10, 10, 100, 100, 1, 0.8), []),
    "location": ((60, 10, 100, 100, 0, 0.8), []),  # IoU 1/3
    "both": ((60, 10, 100, 100, 1, 0.8), []),
    "duplicate": ((12, 10, 100, 100, 0, 0.8), [HIT]),
    "background": ((250, 250, 100, 100, 0, 0.8), [HIT]),
    "missed": ((250, 250, 100, 100, 0, 0.0), [HIT]),  # the second object, found by nobody
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_by_hand(name: str) -> None:
    wrong, others = CASES[name]
    objects = [(10, 10, 100, 100, 0), (300, 10, 50, 50, 1)]
    detections = [*others, (300, 10, 50, 50, 1, 0.95)]
    if name == "missed":
        objects.append((200, 200, 60, 60, 0))
    else:
        detections.append(wrong)
    found_kinds = kinds([image(objects)], {1: found(*detections)})
    counts = {each.name: each.count for each in found_kinds.values()}
    missed = name in ("both", "missed")  # a box of another class and place accounts for no object
    assert counts == {**dict.fromkeys(CASES, 0), "missed": int(missed), name: 1}


def test_what_each_kind_costs() -> None:
    """One object of each class; AP50 is the mean of two classes."""
    gts = [image([(10, 10, 100, 100, 0), (300, 10, 50, 50, 1)])]
    wrong_class = kinds(gts, {1: found((300, 10, 50, 50, 1, 0.9), (10, 10, 100, 100, 1, 0.8))})
    assert wrong_class["class"].lost == pytest.approx(0.5)  # ants: from nothing to all
    assert wrong_class["missed"].lost == 0  # the class error accounts for it
    far = kinds(gts, {1: found((300, 10, 50, 50, 1, 0.9), (60, 10, 100, 100, 0, 0.8))})
    assert far["location"].lost == pytest.approx(0.5)
    # A false alarm before the hit halves the precision of ants.
    alarm = kinds(gts, {1: found((300, 10, 50, 50, 1, 0.9), (200, 200, 50, 50, 0, 0.95), HIT)})
    assert alarm["background"].lost == pytest.approx(0.25)
    # A mended detection takes an object once: the second one is dropped and costs nothing more.
    twice = kinds(gts, {1: found(HIT, (60, 10, 100, 100, 0, 0.95), (300, 10, 50, 50, 1, 0.9))})
    assert twice["location"].count == 1 and twice["location"].lost == pytest.approx(0.25)


def test_errors_are_counted_from_the_threshold_on_and_costs_from_zero() -> None:
    gts = [image([(10, 10, 100, 100, 0), (300, 10, 50, 50, 1)])]
    detections = {1: found(HIT, (200, 200, 50, 50, 0, 0.2))}
    low, high = kinds(gts, detections), kinds(gts, detections, 0.5)
    assert (low["background"].count, high["background"].count) == (1, 0)
    assert low["background"].lost == high["background"].lost
    assert low["missed"].count == high["missed"].count == 1
    assert low["missed"].lost == pytest.approx(0.5)  # without bees the mean is that of ants


def test_nothing_to_find_and_nothing_found() -> None:
    empty = kinds([image([])], {1: found(HIT)})
    assert empty["background"].count == 1 and {e.lost for e in empty.values()} == {0.0}
    silent = kinds([image([(10, 10, 100, 100, 0)])], {})
    assert {e.name: e.count for e in silent.values() if e.count} == {"missed": 1}


@pytest.mark.parametrize("seed", range(10))
def test_every_false_positive_has_one_kind(seed: int) -> None:
    gts, detections = crowded(seed)
    columns = columns_of(gts, detections, CLASSES)
    curves = operating_points(gts, CLASSES, columns)
    errors = error_kinds(gts, len(CLASSES), columns, curves.threshold)
    matrix = curves.confusion
    alarms = matrix[:, :-1].sum() - matrix.diagonal()[:-1].sum()
    assert sum(each.count for each in errors if each.name != "missed") == alarms
    assert errors[-1].count <= matrix[:-1].sum() - matrix.diagonal()[:-1].sum()
    assert all(each.lost >= -1e-12 for each in errors if each.name in ("both", "background"))


@pytest.mark.parametrize("seed", range(6))
def test_ap_by_size_is_cocos_at_its_sizes(seed: int) -> None:
    gts, detections = crowded(seed, images=20)
    rng = np.random.default_rng(seed)
    sized = [replace(gt, areas=rng.uniform(100, 20_000, len(gt))) for gt in gts]
    columns = columns_of(sized, detections, CLASSES)
    evaluator = build_evaluator(sized, CLASSES)
    evaluator.merge([columns])
    metrics = evaluator.compute().metrics
    bins = ap_by_size(sized, len(CLASSES), columns, (0, 32, 96, 1e5))
    assert [each.AP for each in bins] == pytest.approx([metrics[f"AP{s}"] for s in "sml"])
    assert sum(each.objects for each in bins) == sum(len(gt) for gt in gts)
    assert len(ap_by_size(sized, len(CLASSES), columns)) == 9
