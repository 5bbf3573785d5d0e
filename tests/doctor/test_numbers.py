"""Overlaps, contested points and what NMS drops, against loops and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from otadet.boxes import pairwise_iou
from otadet.data import SplitPaths
from otadet.data.records import Records
from otadet.doctor import DoctorConfig
from otadet.doctor.check_settings import SCALES, best_scale, check_settings, unmatched
from otadet.doctor.crowding import measure_crowding
from otadet.doctor.objects import Objects, usable_objects
from otadet.doctor.overlaps import LEAST, find_overlaps, suppressed_by_nms
from otadet.doctor.statistics import compute_statistics
from otadet.exp import load_class
from otadet.pages import histogram


def records(boxes: np.ndarray, image: list[int], size: int = 320, amodal: bool = False) -> Records:
    """Images of ``size`` x ``size`` with boxes of one class."""
    count = max(image, default=0) + 1
    return Records(
        split="train", format="coco", path=Path("ann.json"), images=Path("images"),
        names=("ant",), class_ids=(1,), image_ids=np.arange(count),
        file_names=tuple(f"{i}.jpg" for i in range(count)),
        sizes=np.full((count, 2), float(size)),
        image=np.array(image, np.int64), labels=np.zeros(len(image), np.int64),
        boxes=np.asarray(boxes, np.float64).reshape(-1, 4), areas=np.full(len(image), np.nan),
        ignored=np.zeros(len(image), bool),
        amodal=amodal, place=lambda i: (Path("ann.json"), f"annotation id {i}"),
        image_place=lambda i: (Path("ann.json"), f"image id {i}"),
    )  # fmt: skip


def crowd(seed: int, count: int = 120, num_images: int = 4) -> tuple[Records, Objects]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 250, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 70, (count, 2))], axis=1)
    made = records(boxes, rng.integers(0, num_images, count).tolist())
    return made, usable_objects(made)


@pytest.mark.parametrize("seed", range(3))
def test_pairs_equal_the_table_of_all_ious(seed: int) -> None:
    _, objects = crowd(seed)
    pairs = find_overlaps(objects)
    boxes = torch.from_numpy(objects.boxes)
    iou = pairwise_iou(boxes, boxes).numpy().astype(float)
    iou[objects.image[:, None] != objects.image[None]] = 0
    np.fill_diagonal(iou, 0)
    np.testing.assert_allclose(pairs.largest, iou.max(axis=1), atol=1e-6)
    expected = {(i, j) for i, j in np.argwhere(iou >= LEAST).tolist() if i < j}
    got = {(min(p), max(p)) for p in zip(pairs.first.tolist(), pairs.second.tolist())}
    assert got == expected and len(pairs.first) == len(expected) > 2


def test_nms_drops_the_smaller_of_two_and_keeps_one_that_only_overlaps_the_dropped() -> None:
    # IoU of neighbours 0.67, of the outer two 0.45; areas fall from left to right.
    boxes = np.array([[0, 0, 100, 40], [20, 0, 120, 39.9], [40, 0, 140, 39.8]])
    objects = usable_objects(records(boxes, [0, 0, 0]))
    pairs = find_overlaps(objects)
    assert suppressed_by_nms(objects, pairs, 0.6).tolist() == [1]
    assert suppressed_by_nms(objects, pairs, 0.41).tolist() == [1, 2]
    assert suppressed_by_nms(objects, pairs, 0.7).tolist() == []


def config() -> DoctorConfig:
    cls = load_class(None, "ota_fcos_r18")
    place = SplitPaths("coco", Path(), Path("ann.json"), Path("images"), "train")
    exp = cls(data_dir="nowhere", input_size=(320, 320), extra_levels=False)
    made = DoctorConfig.of(exp)
    assert made.strides == (8, 16, 32) and set(made.absent) == {"train", "val"}
    return DoctorConfig(**{**vars(made), "places": {"train": place}, "absent": {}})


def test_contested_points_equal_a_count_by_distance() -> None:
    made, objects = crowd(5, count=30, num_images=3)
    got = measure_crowding(made, objects, config())
    assert got is not None
    for r in (3, 5, 7):
        claimed = contested = 0
        for number in range(3):
            centers = objects.boxes[objects.image == number].reshape(-1, 2, 2).mean(axis=1)
            for stride in (8, 16, 32):
                axis = (np.arange(320 // stride) + 0.5) * stride
                points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
                claims = np.zeros(len(points), int)
                for center in centers:
                    distance = ((points - center) ** 2).sum(axis=1)
                    claims[np.argsort(distance)[: r * r]] += 1
                claimed += int((claims > 0).sum())
                contested += int((claims > 1).sum())
        assert got.contested[r] == pytest.approx(contested / claimed, abs=1e-9)
        assert got.contested_points[r] == pytest.approx(contested / 3)


def test_one_object_contests_nothing_and_two_at_one_place_everything() -> None:
    alone = records(np.array([[100, 100, 140, 150]]), [0])
    got = measure_crowding(alone, usable_objects(alone), config())
    assert got is not None and got.contested == {3: 0.0, 5: 0.0, 7: 0.0}
    assert got.advice.startswith("sparse")
    both = records(np.array([[100, 100, 140, 150], [90, 90, 150, 160]]), [0, 0])
    got = measure_crowding(both, usable_objects(both), config())
    assert got is not None and got.contested == {3: 1.0, 5: 1.0, 7: 1.0}
    assert got.advice.startswith("crowded")
    none = records(np.zeros((0, 4)), [])
    assert measure_crowding(none, usable_objects(none), config()) is None


def test_few_objects_names_the_image_that_has_them() -> None:
    boxes = [[10 * (i % 30), 20, 10 * (i % 30) + 9, 40] for i in range(41)]
    image = [0] * 20 + [1] + [2] * 20
    made = records(np.array(boxes), image)
    objects = usable_objects(made)
    overlaps = find_overlaps(objects)
    statistics = compute_statistics(made, objects, overlaps, config(), crowds=False)
    findings = check_settings(made, objects, overlaps, config(), statistics)
    few = [f for f in findings if f.code == "few-objects"]
    assert [(f.severity, f.count, f.spots[0].image) for f in few] == [("note", 1, "1.jpg")]


def test_anchors_that_no_object_matches() -> None:
    """Squares of 64, 128 and 256 px: half the area is the least that meets one."""
    sides = np.array([[45.0, 45.0], [46.0, 46.0], [64.0, 20.0], [90.0, 91.0], [400.0, 400.0]])
    assert unmatched(sides, (8, 16, 32), 8.0).tolist() == [True, False, True, False, True]
    rng = np.random.default_rng(0)
    sides = rng.uniform(5, 400, (200, 2))
    boxes = np.concatenate([-sides / 2, sides / 2], axis=1)
    for scale in (2.0, 8.0):
        half = scale * np.array([[8.0], [16.0], [32.0]]) * np.array([-0.5, -0.5, 0.5, 0.5])
        iou = pairwise_iou(torch.from_numpy(boxes), torch.from_numpy(half)).amax(dim=1)
        assert unmatched(sides, (8, 16, 32), scale).tolist() == (iou < 0.5).tolist()


def test_the_scale_that_is_proposed_leaves_the_fewest() -> None:
    small = np.random.default_rng(0).uniform(14, 30, (100, 2))
    left = {scale: int(unmatched(small, (8, 16, 32), scale).sum()) for scale in SCALES}
    best = best_scale(small, (8, 16, 32))
    assert left[best] == min(left.values()) < left[8.0] == 100
    assert best == max(s for s in SCALES if left[s] == left[best])


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, None), ({"method": "autoassign"}, None), ({"method": "atss"}, 8.0),
        ({"method": "freeanchor", "anchor_scale": 4.0}, 4.0),
        ({"method": "retinanet", "head": "retinanet", "anchor_scale": 3.0}, 3.0),
        ({"head": "retinanet"}, None),
    ],
)  # fmt: skip
def test_anchor_scale_of_the_assigner_or_setting(
    settings: dict[str, object], scale: float | None
) -> None:
    exp = load_class(None, "quickstart")(data_dir="nowhere", **settings)
    assert DoctorConfig.of(exp).anchor_scale == scale


def test_a_histogram_states_min_median_and_max() -> None:
    chart = histogram(np.array([1.0, 2.0, 2.0, 9.0, 30.0]), "sides", "px")
    assert chart is not None and chart.summary == "min 1, median 2, max 30 px"
    assert chart.tallest == 3 and max(bar.height for bar in chart.bars) == 1
