"""Ground truth and detections for the metrics, random or by hand, for both implementations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from otadet.evaluation import (
    Backend,
    DetectionColumns,
    Evaluator,
    MeasureFunction,
    MetricKind,
    build_evaluator,
    coco,
)
from otadet.types import Detections, GroundTruth
from tests.evaluation.slow_crowd import Box, Scene

SIDE = 100


def gt_of(number: int, scene: Scene) -> GroundTruth:
    """An image of one class."""
    boxes = np.array(scene.objects, np.float32).reshape(-1, 4)
    return GroundTruth(
        image_id=10 * number,
        file_name=f"{number}.jpg",
        size=(SIDE, SIDE),
        boxes=boxes,
        labels=np.zeros(len(boxes), np.int64),
        ignore_boxes=np.array(scene.regions, np.float32).reshape(-1, 4),
        areas=np.full(len(boxes), 2000.0),
    )


def found_of(scene: Scene) -> Detections:
    """Its detections, in whatever order they are."""
    boxes = torch.tensor([box for box, _ in scene.found]).reshape(-1, 4)
    scores = torch.tensor([score for _, score in scene.found])
    return Detections(boxes, scores, torch.zeros(len(scores), dtype=torch.int64))


def measured(scenes: Sequence[Scene], *kinds: MetricKind) -> dict[str, float]:
    """The numbers of one class."""
    gts = [gt_of(number, scene) for number, scene in enumerate(scenes)]
    evaluator = build_evaluator(gts, ("person",), kinds)
    for gt, scene in zip(gts, scenes):
        evaluator.update(gt.image_id, found_of(scene))
    return evaluator.compute().metrics


def coco_evaluator(
    gts: Sequence[GroundTruth],
    class_names: Sequence[str],
    backend: Backend = "auto",
    max_detections: int = 100,
) -> Evaluator:
    """An evaluator of COCO's metrics alone."""
    return Evaluator(gts, class_names, (coco(backend, max_detections),))


def columns_of(
    gts: Sequence[GroundTruth], detections: dict[int, Detections], classes: Sequence[str]
) -> DetectionColumns:
    """Detections as measures take them."""
    evaluator = Evaluator(gts, classes, [])
    for image_id, each in detections.items():
        evaluator.update(image_id, each)
    return evaluator.state()


def apply(measure: MeasureFunction, scenes: Sequence[Scene]) -> dict[str, float]:
    """One measure of scenes of one class."""
    gts = [gt_of(number, scene) for number, scene in enumerate(scenes)]
    found = {gt.image_id: found_of(scene) for gt, scene in zip(gts, scenes)}
    return measure(gts, ("person",), columns_of(gts, found, ("person",))).metrics


def random_scenes(seed: int) -> list[Scene]:
    """One to four crowded images: ignore regions, equal scores, images without objects or
    without detections, more detections than objects; at least one object in all."""
    rng = np.random.default_rng(seed)
    scenes = [_random_scene(rng) for _ in range(rng.integers(1, 5))]
    if not any(scene.objects for scene in scenes):
        scenes[0].objects.append((10.0, 10.0, 40.0, 50.0))
    return scenes


def _random_scene(rng: np.random.Generator) -> Scene:
    objects = _boxes(rng, int(rng.integers(0, 6)), 40)
    regions = _boxes(rng, int(rng.integers(0, 3)), 60)
    seen = np.concatenate([objects, objects, objects, _boxes(rng, 3, 40), regions])
    seen = _ordered(seen + rng.normal(0, 2.5, seen.shape))
    seen = seen[rng.random(len(seen)) < rng.choice([0.0, 0.5, 0.8])].astype(np.float32)
    scores = (rng.integers(0, 21, len(seen)) / 20).astype(np.float32)
    return Scene(_rows(objects), _rows(regions), list(zip(_rows(seen), scores.tolist())))


def _boxes(rng: np.random.Generator, count: int, longest: float) -> np.ndarray:
    """Corners on a grid of quarters, so that IoUs are often equal."""
    corner = rng.uniform(0, 60, (count, 2))
    sides = rng.uniform(8, longest, (count, 2))
    return np.round(np.clip(np.concatenate([corner, corner + sides], axis=1), 0, SIDE) * 4) / 4


def _ordered(boxes: np.ndarray) -> np.ndarray:
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.clip(np.concatenate([low, high], axis=1), 0, SIDE)


def _rows(boxes: np.ndarray) -> list[Box]:
    return [(a, b, c, d) for a, b, c, d in boxes.astype(float).tolist()]
