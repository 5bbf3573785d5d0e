"""MR^-2, AP, JI and recall: by hand, and against a slow second implementation."""

import json
import math

import numpy as np
import pytest
import torch

from otadet.evaluation import MetricKind, build_evaluator
from otadet.evaluation.crowdhuman import crowdhuman
from otadet.types import Detections, GroundTruth
from tests.evaluation import slow_crowd as slow
from tests.evaluation.scenes import apply, found_of, gt_of, measured, random_scenes
from tests.evaluation.slow_crowd import Box, Scene

FAR = (60.0, 60.0, 70.0, 80.0)


def span(left: float, right: float, top: float = 0) -> Box:
    return (left, top, right, top + 10)


def test_by_hand() -> None:
    """Ten images, four objects, by falling score: hit, miss, hit, miss, all in one image.

    False positives an image are 0, 0.1, 0.1, 0.2 and miss rates 3/4, 3/4, 1/2, 1/2. The points
    0.01 to 0.1 (five) are reached at the second detection, 0.1778 at the fourth; the curve ends
    before the other three, where the last miss rate stands.
    Precisions are 1, 1/2, 2/3, 1/2; recall moves once after the first one, from 1/4 to 1/2.
    Above a score of 0.6 there are three detections, two of them hits: 2 / (4 + 3 - 2).
    """
    objects = [span(0, 20), span(30, 50), span(60, 80), span(0, 20, 50)]
    found = [(span(0, 20), 0.9), (FAR, 0.8), (span(30, 50), 0.7), (FAR, 0.6)]
    scenes = [Scene(objects, [], found)] + [Scene() for _ in range(9)]
    metrics = measured(scenes, "crowdhuman")
    assert metrics["MR"] == pytest.approx((0.75**5 * 0.5**4) ** (1 / 9))
    assert metrics["CrowdHumanAP"] == pytest.approx(0.25 * (1 / 2 + 2 / 3) / 2)
    assert metrics["JI"] == pytest.approx(2 / 5, abs=1e-6)
    assert metrics["CrowdHumanRecall"] == 0.5


def test_the_best_threshold_of_ji_is_in_the_table() -> None:
    gts = [gt_of(0, Scene([span(0, 20)]))]
    evaluator = build_evaluator(gts, ("person",), ("crowdhuman",))
    evaluator.update(0, found_of(Scene(found=[(span(0, 20), 0.75), (FAR, 0.35)])))
    (table,) = evaluator.compute().tables
    assert table.headers[3:5] == ("JI", "at score")
    assert table.rows == (("person", "0.000", "0.000", "1.000", "0.4", "1.000", "1", "2"),)


def test_ignore_regions() -> None:
    """A detection of IoU 0.5 is none; one in a region counts neither way, but takes an object
    that is free before it is looked for in a region; an object that nobody finds counts."""
    region = (0.0, 50.0, 100.0, 100.0)
    inside, half = (10.0, 60.0, 30.0, 80.0), (10.0, 40.0, 30.0, 60.0)
    scene = Scene([span(0, 20), inside], [region], [(span(0, 10), 0.95)])
    assert measured([scene], "crowdhuman")["CrowdHumanRecall"] == 0
    scene = Scene([span(0, 20), inside], [region], [(inside, 0.9), (inside, 0.8), (half, 0.7)])
    metrics = measured([scene], "crowdhuman")
    assert metrics["CrowdHumanRecall"] == 0.5
    # The second is ignored, the third is with only half of itself inside: the curve is 1 (at no
    # false positive), then 1 an image, and the miss rate 1/2 everywhere.
    assert metrics["MR"] == pytest.approx(0.5)
    # k = 1; of the objects the second has a partner, so m = 2; n is 1 above 0.7 and 2 below.
    assert metrics["JI"] == pytest.approx(1 / 2, abs=1e-6)


def test_objects_buried_in_a_region_count_only_where_they_are_found() -> None:
    scene = Scene([span(0, 20), span(40, 60)], [span(39, 61)], [(span(0, 20), 0.9)])
    assert measured([scene], "crowdhuman")["JI"] == pytest.approx(1, abs=1e-5)


def test_ji_matches_better_than_greedily() -> None:
    """The better detection overlaps both objects, the other one only that which it prefers."""
    scene = Scene(
        [span(0, 50), span(15, 65)], [], [(span(2.5, 52.5), 0.9), (span(0, 35), 0.8)]
    )  # IoUs of the first: 47.5/52.5, 37.5/62.5; of the second: 35/50, 20/65
    metrics = measured([scene], "crowdhuman")
    assert metrics["CrowdHumanRecall"] == 0.5
    assert metrics["JI"] == pytest.approx(1, abs=1e-5)


def test_ji_matches_by_the_largest_sum_of_ious_and_not_by_number() -> None:
    """As the official code: two exact pairs (a sum of 2) before three of 0.51."""
    places = [span(left, left + 50) for left in (0.0, 16.2, 32.4, 48.6)]
    scene = Scene(places[1:], [], [(box, 0.9) for box in places[:3]])
    assert measured([scene], "crowdhuman")["JI"] == pytest.approx(2 / (3 + 3 - 2), abs=1e-6)


@pytest.mark.parametrize("block", range(4))
def test_equals_the_slow_one(block: int) -> None:
    """200 random sets of up to four images."""
    for seed in range(50 * block, 50 * block + 50):
        scenes = random_scenes(seed)
        expected = {
            "MR": slow.miss_rate(scenes),
            "CrowdHumanAP": slow.average_precision(scenes),
            "JI": slow.jaccard(scenes),
            "CrowdHumanRecall": slow.recall(scenes),
        }
        assert apply(crowdhuman, scenes) == pytest.approx(expected, abs=1e-9), seed


def test_random_scenes_hold_what_they_are_for() -> None:
    scenes = [scene for seed in range(200) for scene in random_scenes(seed)]
    assert any(not s.objects and s.found for s in scenes)
    assert any(s.objects and not s.found for s in scenes)
    assert any(s.regions and not s.objects for s in scenes)
    assert any(len({score for _, score in s.found}) < len(s.found) > len(s.objects) for s in scenes)


def test_all_boxes_are_cut_at_the_border() -> None:
    """Objects that leave the image (whole bodies) as well as detections."""
    inside, outside = (80.0, 0.0, 100.0, 20.0), (80.0, -30.0, 140.0, 20.0)
    for objects, found in (([inside], outside), ([outside], inside)):
        metrics = measured([Scene(objects, [], [(found, 0.9)])], "crowdhuman", "voc07")
        assert (metrics["CrowdHumanRecall"], metrics["VOC07AP"]) == (1, 0)
    # Nine tenths of what is left of the better detection lie in the region, less of the whole one.
    beside = (80.0, 40.0, 180.0, 60.0)
    scene = Scene([inside], [(82, 40, 140, 60)], [(beside, 0.9), (inside, 0.8)])
    assert measured([scene], "crowdhuman")["MR"] == 0


def test_classes_are_apart_and_averaged() -> None:
    """The object of the second class is found, that of the first taken for one; there is a third
    without objects."""
    boxes = np.array([span(0, 20), span(40, 60)], np.float32)
    gt = GroundTruth(1, "", (100, 100), boxes, np.array([0, 1]), np.zeros((0, 4), np.float32),
                  np.ones(2))  # fmt: skip
    evaluator = build_evaluator([gt], ("a", "b", "c"), ("crowdhuman", "voc07"))
    labels = torch.tensor([1, 1])
    evaluator.update(1, Detections(torch.from_numpy(boxes), torch.tensor([0.8, 0.9]), labels))
    found = evaluator.compute()
    assert found.metrics["CrowdHumanRecall"] == 0.5
    assert found.metrics["MR"] == 0.5  # 1 without detections; all are found at the second: 0
    assert [row[0] for row in found.tables[0].rows] == ["a", "b", "c"]
    assert found.tables[0].rows[2] == ("c", "-", "-", "-", "0.0", "-", "0", "0")
    assert found.metrics["VOC07AP"] == 0.5


ALL: tuple[MetricKind, ...] = ("coco", "crowdhuman", "voc07", "voc10", "crowding")


@pytest.mark.parametrize(
    "scenes",
    [
        [Scene()],
        [Scene(regions=[FAR])],
        [Scene(regions=[FAR], found=[(FAR, 0.5), (span(0, 20), 0.5)])],
        [Scene(found=[(span(0, 20), 0.5)]), Scene()],
    ],
)
def test_metrics_without_objects_are_undefined(scenes: list[Scene]) -> None:
    metrics = measured(scenes, *ALL)
    assert tuple(metrics) == build_evaluator([], ("person",), ALL).names
    assert set(metrics.values()) == {-1.0}
    json.dumps(metrics, allow_nan=False)


def test_no_detections_and_perfect_ones() -> None:
    objects = [span(0, 20), span(15, 35), span(60, 80)]
    nothing = measured([Scene(objects), Scene(regions=[FAR])], *ALL)
    assert nothing["MR"] == 1
    assert [nothing[k] for k in ("AP", "JI", "CrowdHumanAP", "VOC07AP", "VOC10AP")] == [0] * 5
    perfect = measured([Scene(objects, [], [(box, 0.9) for box in objects])], *ALL)
    assert perfect["MR"] == 0
    assert [perfect[k] for k in ("AP", "VOC07AP", "VOC10AP")] == pytest.approx([1, 1, 1])
    assert perfect["JI"] == pytest.approx(1, abs=1e-5)
    assert perfect["CrowdHumanAP"] == pytest.approx(2 / 3)  # left of the first one is not counted
    assert all(math.isfinite(value) for value in perfect.values())


def test_which_value_is_better() -> None:
    improves = build_evaluator([], ("person",), ("coco", "crowdhuman")).improves
    assert improves("AP", 0.5, 0.4) and not improves("AP", 0.4, 0.4)
    assert improves("MR", 0.4, 0.5) and not improves("MR", 0.5, 0.5)
    assert not improves("MR", 0.6, 0.5)
    for metric in ("AP", "MR"):
        assert improves(metric, 0.9, -1.0), "the first one"
        assert not improves(metric, -1.0, 0.9), "undefined"
        assert not improves(metric, -1.0, -1.0)
