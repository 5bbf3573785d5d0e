"""VOC's AP: by hand, and against a slow second implementation."""

import numpy as np
import pytest
import torch

from otadet.evaluation import build_evaluator
from otadet.evaluation.voc import voc07, voc10
from otadet.types import Detections, GroundTruth
from tests.evaluation import slow_crowd as slow
from tests.evaluation.scenes import apply, measured, random_scenes
from tests.evaluation.slow_crowd import Scene
from tests.evaluation.test_crowdhuman import FAR, span


def test_by_hand() -> None:
    """Three objects; hit, miss, hit. Recalls 1/3, 1/3, 2/3 with precisions 1, 1/2, 2/3: four of
    the eleven points see 1, three 2/3, four nothing."""
    objects = [span(0, 20), span(30, 50), span(60, 80)]
    found = [(span(0, 20), 0.9), (FAR, 0.8), (span(30, 50), 0.7)]
    metrics = measured([Scene(objects, [], found)], "voc07", "voc10")
    assert metrics == pytest.approx({"VOC07AP": 6 / 11, "VOC10AP": 1 / 3 + 1 / 3 * 2 / 3})


def test_a_recall_of_exactly_three_tenths_reaches_the_fourth_point() -> None:
    objects = [span(0, 9, 10 * i) for i in range(10)]
    scene = Scene(objects, [], [(box, 0.9) for box in objects[:3]])
    assert measured([scene], "voc07")["VOC07AP"] == pytest.approx(4 / 11)


def test_iou_of_one_half_is_enough_and_only_the_nearest_object_is_asked() -> None:
    half = Scene([span(0, 20)], [], [(span(0, 10), 0.9)])
    assert measured([half], "voc10")["VOC10AP"] == 1
    # The second one prefers the object that is taken, and does not turn to the other.
    scene = Scene([span(0, 50), span(15, 65)], [], [(span(0, 50), 0.9), (span(5, 55), 0.8)])
    assert measured([scene], "voc10")["VOC10AP"] == 0.5
    # COCO's and CrowdHuman's rules would have it turn.
    assert measured([scene], "crowdhuman")["CrowdHumanRecall"] == 1


def test_difficult_objects_count_neither_way_and_are_of_a_class() -> None:
    boxes = np.array([span(0, 20)], np.float32)
    regions = np.array([span(40, 60), span(70, 90)], np.float32)
    gt = GroundTruth(1, "", (100, 100), boxes, np.zeros(1, np.int64), regions, np.ones(1),
                  np.array([0, 1]))  # fmt: skip
    scores = torch.tensor([0.9, 0.8, 0.7])
    rows = torch.tensor([span(40, 60), span(70, 90), span(0, 20)])
    evaluator = build_evaluator([gt], ("a", "b"), ("voc10",))
    evaluator.update(1, Detections(rows, scores, torch.zeros(3, dtype=torch.int64)))
    # The first one is ignored, the second is none of its class: precision 1/2 at the hit.
    assert evaluator.compute().metrics["VOC10AP"] == 0.5


@pytest.mark.parametrize("block", range(4))
def test_equals_the_slow_one(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        scenes = random_scenes(seed)
        new, old = slow.voc(scenes, eleven_points=False), slow.voc(scenes, eleven_points=True)
        assert apply(voc10, scenes)["VOC10AP"] == pytest.approx(new, abs=1e-12), seed
        assert apply(voc07, scenes)["VOC07AP"] == pytest.approx(old, abs=1e-12), seed
