"""AP of resampled images, against pycocotools on the resampled data set itself."""

from dataclasses import replace

import numpy as np
import pytest

from otadet.evaluation import DetectionColumns, coco
from otadet.evaluation.crowding import BINS, LIMITS, crowding, neighbour_iou
from otadet.evaluation.flat import Flat, Ints
from otadet.evaluation.resampling import RankedMatches, resample_images
from otadet.types import GroundTruth

NAMES = ("a", "b", "c")


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(8, 40, (count, 2))], axis=1)


def data(seed: int, images: int = 8) -> tuple[list[GroundTruth], DetectionColumns]:
    """Crowded images of three classes, with ignore regions; some without objects or detections."""
    rng = np.random.default_rng(seed)
    gts, found, labels, counts = [], [], [], []
    for number in range(images):
        count, near = int(rng.integers(0, 9)), 0
        objects, label = boxes(rng, count).astype(np.float32), rng.integers(0, 3, count)
        if number != 2:
            around = objects.repeat(3, axis=0) + rng.normal(0, 3, (3 * count, 4))
            near = len(around) + 6
            found += [around, boxes(rng, 6)]
            labels += [label.repeat(3), rng.integers(0, 3, 6)]
        counts.append(near)
        regions = boxes(rng, int(rng.integers(0, 2))).astype(np.float32)
        areas = np.prod(objects[:, 2:] - objects[:, :2], axis=1).astype(float)
        gts.append(GroundTruth(number, f"{number}", (100, 100), objects, label, regions, areas))
    rows = np.concatenate(found).astype(np.float32)
    rows[:, 2:] = np.maximum(rows[:, 2:], rows[:, :2] + 1)
    scores = rng.permutation(np.linspace(0.01, 1, len(rows))).astype(np.float32)
    return gts, DetectionColumns(
        np.arange(images), np.array(counts), rows, scores, np.concatenate(labels)
    )


def ap(gts: list[GroundTruth], found: DetectionColumns) -> float:
    return coco("pycocotools", 1000)(gts, NAMES, found).metrics["AP"]


def repeated(
    gts: list[GroundTruth], found: DetectionColumns, weights: Ints
) -> tuple[list[GroundTruth], DetectionColumns]:
    """The resample as a data set: each image as often as it was drawn, under ids of its own."""
    drawn = np.repeat(np.arange(len(gts)), weights)
    ends = np.cumsum(found.counts)
    rows = np.concatenate(
        [np.zeros(0, int), *(np.arange(ends[i] - found.counts[i], ends[i]) for i in drawn)]
    )
    return [replace(gts[i], image_id=new) for new, i in enumerate(drawn)], DetectionColumns(
        np.arange(len(drawn)), found.counts[drawn], found.boxes[rows], found.scores[rows],
        found.labels[rows],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_resample_is_what_pycocotools_computes_of_it(seed: int) -> None:
    gts, found = data(seed)
    weights = np.concatenate([np.ones((1, len(gts)), int), resample_images(len(gts), 12, seed)])
    weights[-1] = np.eye(len(gts), dtype=int)[1] * len(gts)  # one image alone: classes are missing
    mine = RankedMatches.of(Flat.of(gts, 3, found)).ap(weights)
    theirs = [ap(*repeated(gts, found, row)) for row in weights]
    assert mine == pytest.approx(theirs, abs=2e-7, nan_ok=True)
    assert len(set(np.round(mine, 6))) > 8


def test_ap_of_some_objects_is_that_of_a_bin_of_crowding() -> None:
    gts, found = data(7, 30)
    flat = Flat.of(gts, 3, found)
    bins = np.searchsorted(LIMITS, neighbour_iou(flat.objects))
    theirs = crowding(gts, NAMES, found).metrics
    once = np.ones((1, len(gts)), int)
    for number, name in enumerate(BINS[:4]):
        mine = RankedMatches.of(flat, bins == number).ap(once)[0]
        assert (bins == number).any() and mine == pytest.approx(theirs[f"AP_crowd_{name}"])


def test_without_objects_or_detections() -> None:
    gts, found = data(1)
    once = np.ones((2, len(gts)), int)
    flat = Flat.of(gts, 3, found)
    assert np.isnan(RankedMatches.of(flat, np.zeros(flat.objects.size, bool)).ap(once)).all()
    nothing = DetectionColumns(
        found.image_ids, found.counts * 0, found.boxes[:0], found.scores[:0], found.labels[:0]
    )
    assert RankedMatches.of(Flat.of(gts, 3, nothing)).ap(once).tolist() == [0.0, 0.0]
    assert RankedMatches.of(flat).ap(once[:0]).shape == (0,)


def test_images_are_drawn_with_replacement_and_alike_for_the_same_seed() -> None:
    drawn = resample_images(50, 400)
    assert drawn.shape == (400, 50) and (drawn.sum(axis=1) == 50).all()
    assert np.array_equal(drawn, resample_images(50, 400))
    assert not np.array_equal(drawn, resample_images(50, 400, seed=1))
    assert drawn.var() == pytest.approx(1, abs=0.05)  # 50 draws of chance 1/50
