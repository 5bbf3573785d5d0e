"""AP by crowding, curves and confusions: equal to COCO's AP, and all sums reconcile."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from otadet.evaluation import (
    OperatingCurves,
    OperatingPoint,
    best_operating_point,
    operating_points,
)
from otadet.evaluation.crowding import BINS, crowding, neighbour_iou
from otadet.evaluation.flat import BoxTable, Flat
from otadet.evaluation.matching import coco_pairs, match_coco
from otadet.evaluation.operating_points import THRESHOLDS
from otadet.types import Detections, GroundTruth
from otadet.visualize.confusion import trimmed
from otadet.visualize.operating_points import draw_operating, write_operating
from tests.evaluation.scenes import apply, coco_evaluator, columns_of, measured
from tests.evaluation.slow_crowd import Scene
from tests.evaluation.test_crowdhuman import FAR, span

CLASSES = ("ant", "bee", "cat $1_0", "never there")


def crowded(seed: int, images: int = 12) -> tuple[list[GroundTruth], dict[int, Detections]]:
    """Three of four classes, crowd regions (of one class and of all), confusions, doubles."""
    rng = np.random.default_rng(seed)
    gts, detections = [], {}
    for image_id in range(1, images + 1):
        corner = rng.uniform(0, 250, (10, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(30, 90, (10, 2))], axis=1)
        labels = rng.integers(0, 3, 10)
        crowd = boxes[:2]
        boxes, labels = boxes[2:].astype(np.float32), labels[2:]
        gts.append(
            GroundTruth(image_id, "", (400, 400), boxes, labels, crowd.astype(np.float32),
                  np.full(8, 2000.0), rng.integers(-1, 3, 2))
        )  # fmt: skip
        seen = np.concatenate([boxes, boxes, crowd])
        seen = seen + rng.normal(0, 0.06, seen.shape) * np.tile(seen[:, 2:] - seen[:, :2], 2)
        guess = np.concatenate([labels, labels, rng.integers(0, 3, 2)])
        guess = np.where(rng.random(18) < 0.25, rng.integers(0, 3, 18), guess)
        scores = np.round(rng.random(18), 2).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        detections[image_id] = Detections(
            torch.from_numpy(seen[order]).float(),
            torch.from_numpy(scores[order]),
            torch.from_numpy(guess[order]),
        )
    return gts, detections


def operate(seed: int) -> tuple[list[GroundTruth], dict[int, Detections], OperatingCurves]:
    gts, detections = crowded(seed)
    columns = columns_of(gts, detections, CLASSES)
    return gts, detections, operating_points(gts, CLASSES, columns)


@pytest.mark.parametrize("seed", range(5))
def test_the_curves_are_those_of_coco(seed: int) -> None:
    gts, detections, found = operate(seed)
    metrics = coco_evaluator(gts, CLASSES, "pycocotools")
    for image_id, each in detections.items():
        metrics.update(image_id, each)
    coco = metrics.compute()
    assert coco.metrics["AP50"] > 0.05
    assert found.total.ap50 == pytest.approx(coco.metrics["AP50"], abs=1e-12)
    for curve, row in zip(found.classes, coco.per_class):
        assert curve.ap50 == pytest.approx(row.AP50, abs=1e-12)
        assert curve.objects == row.objects
    for curve in (found.total, *found.classes[:3]):
        assert curve.precision_at_recall.mean() == pytest.approx(curve.ap50)


@pytest.mark.parametrize("seed", range(5))
def test_sums_reconcile(seed: int) -> None:
    gts, detections, found = operate(seed)
    columns = columns_of(gts, detections, CLASSES)
    flat = Flat.of(gts, len(CLASSES), columns)
    _, counts = match_coco(flat, 0.5, coco_pairs(flat, 0.5))
    counted = counts & (flat.scores >= np.float32(found.threshold))
    matrix = found.confusion
    objects = np.bincount(np.concatenate([t.labels for t in gts]), minlength=4)
    columns_sum = np.bincount(flat.detections.labels[counted], minlength=4)
    assert (matrix[:4].sum(axis=1) == objects).all()
    assert (matrix[:, :4].sum(axis=0) == columns_sum).all()
    assert matrix[4, 4] == 0
    assert matrix[:4, :4].sum() > np.trace(matrix) > 0, "confusions are there"
    for label, curve in enumerate(found.classes):
        place = np.searchsorted(THRESHOLDS, found.threshold - 1e-6)  # scores are hundredths
        assert curve.tp[place] == matrix[label, label]
        assert curve.tp[place] + curve.fp[place] == columns_sum[label]
        fn = matrix[label].sum() - matrix[label, label]
        assert curve.tp[place] + fn == curve.objects
        assert (
            (curve.tp + curve.fp)[0] == (counts & (flat.detections.labels == label)).sum()
        ).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_best_threshold_is_the_best(seed: int) -> None:
    _, _, found = operate(seed)
    assert found.threshold == found.total.best_threshold
    for curve in (found.total, *found.classes):
        # The scores are hundredths, so that the thresholds of the curve are all there are.
        assert curve.best_f1 == pytest.approx(curve.f1.max())
        if curve.best_f1:
            place = round(curve.best_threshold * 100)
            assert curve.f1[min(place, 99)] == pytest.approx(curve.best_f1) or place == 100


@pytest.mark.parametrize("seed", range(3))
def test_the_best_threshold_alone_is_the_same(seed: int) -> None:
    gts, detections, found = operate(seed)
    columns = columns_of(gts, detections, CLASSES)
    point = best_operating_point(gts, len(CLASSES), columns)
    assert point is not None and point == found.point
    assert point.f1 == found.total.best_f1
    assert found.threshold - 0.001 < point.score <= found.threshold
    evaluator = coco_evaluator(gts, CLASSES)
    evaluator.merge([columns])
    assert evaluator.compute().operating_point == point


def test_without_objects_detections_or_hits_there_is_no_best_threshold() -> None:
    def point(objects: list[tuple[float, ...]], boxes: list[tuple[float, ...]]) -> object:
        count = len(objects)
        gt = GroundTruth(1, "", (100, 100), np.array(objects, np.float32).reshape(-1, 4),
                      np.zeros(count, np.int64), np.zeros((0, 4), np.float32),
                      np.ones(count))  # fmt: skip
        rows = torch.tensor(boxes).reshape(-1, 4)
        found = Detections(rows, torch.full((len(boxes),), 0.5), torch.zeros(len(boxes)).long())
        columns = columns_of([gt], {1: found}, ("ant",))
        best = best_operating_point([gt], 1, columns)
        assert operating_points([gt], ("ant",), columns).point == best
        return best

    assert point([span(0, 20)], [span(0, 20)]) == OperatingPoint(0.5, 1.0)
    assert point([], [span(0, 20)]) is None
    assert point([span(0, 20)], []) is None
    assert point([span(0, 20)], [FAR]) is None
    assert point([], []) is None


def test_right_place_and_wrong_class_is_a_confusion() -> None:
    """An ant taken for a bee, one found, one missed, a bee where nothing is; and a bee that only
    lies near the ant that is found already."""
    boxes = np.array([span(0, 20), span(30, 50), span(70, 90)], np.float32)
    gt = GroundTruth(1, "", (100, 100), boxes, np.zeros(3, np.int64), np.zeros((0, 4), np.float32),
                  np.ones(3))  # fmt: skip
    rows = torch.tensor([span(0, 20), span(30, 50), FAR, span(31, 51), span(70, 90)])
    found = Detections(rows, torch.tensor([0.9, 0.9, 0.9, 0.9, 0.1]), torch.tensor([1, 0, 1, 1, 0]))
    columns = columns_of([gt], {1: found}, ("ant", "bee"))
    operating = operating_points([gt], ("ant", "bee"), columns)
    # F1 is 2 / (4 + 3) at 0.9 and 4 / (5 + 3) at 0.1, where the third ant is found.
    assert operating.threshold == pytest.approx(0.1)
    assert operating.total.best_f1 == 0.5
    assert operating.confusion.tolist() == [[2, 1, 0], [0, 0, 0], [0, 2, 0]]


def test_files(tmp_path: Path) -> None:
    _, _, found = operate(0)
    paths = [*write_operating(found, tmp_path), *draw_operating(found, tmp_path)]
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in paths}
    with (tmp_path / "confusion_matrix.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[1:] == [*CLASSES, "background"]
    assert [[int(v) for v in row[1:]] for row in rows] == found.confusion.tolist()
    with (tmp_path / "precision_recall.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert np.mean([float(row["all"]) for row in table]) == pytest.approx(
        found.total.ap50, abs=1e-5
    )
    with (tmp_path / "thresholds.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 5 * 100
    for line in lines:
        objects = next(c.objects for c in (found.total, *found.classes) if c.name == line["class"])
        assert int(line["tp"]) + int(line["fn"]) == objects
    with (tmp_path / "classes.csv").open(newline="") as file:
        assert [row["AP50"] for row in csv.DictReader(file)][-1] == "-1.000000"


def test_no_objects_and_no_detections_can_be_drawn(tmp_path: Path) -> None:
    gt = GroundTruth(1, "", (9, 9), np.zeros((0, 4), np.float32), np.zeros(0, np.int64),
                  np.zeros((0, 4), np.float32), np.zeros(0))  # fmt: skip
    found = operating_points([gt], ("ant",), columns_of([gt], {}, ("ant",)))
    assert found.confusion.tolist() == [[0, 0], [0, 0]]
    assert (found.total.ap50, found.total.best_f1) == (-1, 0)
    write_operating(found, tmp_path)
    assert all(path.stat().st_size > 5000 for path in draw_operating(found, tmp_path))


def test_a_large_matrix_is_trimmed_to_what_is_confused() -> None:
    matrix = np.diag([9, 8, 7, 6, 5, 0])
    matrix[3, 4] = 2  # d for e
    matrix[0, 5] = matrix[5, 1] = 4  # missed, and nothing there
    small, names = trimmed(matrix, ["a", "b", "c", "d", "e"], largest=2)
    assert names == ["d", "e", "3 other classes", "background"]
    assert small.tolist() == [[6, 2, 0, 0], [0, 5, 0, 0], [0, 0, 24, 4], [0, 0, 4, 0]]
    assert trimmed(matrix, ["a", "b", "c", "d", "e"], largest=5)[0] is matrix


def test_overlap_with_a_neighbour() -> None:
    """20 of 100 in common is 0.2; another image and another class are no neighbours."""
    boxes = np.array([span(0, 60), span(40, 100), span(0, 60), span(0, 60, 50), span(0, 60, 50)])
    table = BoxTable(boxes.astype(np.float64), np.array([0, 0, 1, 0, 0]), np.array([0, 0, 0, 0, 1]))
    assert neighbour_iou(table).tolist() == [0.2, 0.2, 0, 0, 0]


def test_crowding_by_hand() -> None:
    """Bin "0": one object, found; "0-0.2": two, one found. Two detections hit nothing, the better
    one before all others: precision at the hit is 1/2 in each bin."""
    objects = [span(0, 20, 70), span(0, 60), span(40, 100)]
    found = [(FAR, 0.9), (span(0, 20, 70), 0.8), (span(0, 60), 0.7), (FAR, 0.6)]
    metrics = apply(crowding, [Scene(objects, [], found)])
    assert metrics["AP_crowd_0"] == pytest.approx(0.5)
    assert metrics["AP_crowd_0-0.2"] == pytest.approx(0.5 * 51 / 101)
    assert metrics["AR_crowd_0"] == 1
    assert metrics["AR_crowd_0-0.2"] == 0.5
    for name in BINS[2:]:
        assert metrics[f"AP_crowd_{name}"] == metrics[f"AR_crowd_{name}"] == -1


def test_one_bin_with_all_objects_is_coco() -> None:
    """Objects apart from each other: the bin "0" is everything."""
    rng = np.random.default_rng(0)
    scenes = []
    for _ in range(20):
        objects = [span(50 * (i % 2), 50 * (i % 2) + 30, 20 * (i // 2)) for i in range(8)]
        seen = [tuple((np.array(box) + rng.normal(0, 1, 4)).tolist()) for box in objects * 2]
        scenes.append(Scene(objects, [(0, 90, 100, 100)], [(b, rng.random()) for b in seen]))
    metrics = measured(scenes, "coco", "crowding")
    assert 0.1 < metrics["AP"] < 0.9
    assert metrics["AP_crowd_0"] == pytest.approx(metrics["AP"], abs=1e-9)
    assert metrics["AR_crowd_0"] == pytest.approx(metrics["AR100"], abs=1e-9)
