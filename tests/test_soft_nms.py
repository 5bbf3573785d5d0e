"""Soft-NMS beside a slow version, by hand, and inside the postprocess."""

import pytest
import torch

from otadet.geometry import Geometry
from otadet.postprocess import Postprocess
from otadet.soft_nms import soft_nms
from tests import reference
from tests.helpers import random_predictions


def crowd(count: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand((count, 2), generator=g) * 40
    side = torch.rand((count, 2), generator=g) * 30 + 5
    scores = torch.rand(count, generator=g)
    return (
        torch.cat([corner, corner + side], 1),
        scores,
        torch.randint(classes, (count,), generator=g),
    )


@pytest.mark.parametrize("kind", ["linear", "gaussian"])
@pytest.mark.parametrize(("count", "classes"), [(1, 1), (40, 1), (60, 7), (30, 90)])
def test_equals_the_slow_version(kind: str, count: int, classes: int) -> None:
    boxes, scores, labels = crowd(count, classes, seed=count + classes)
    index, score = soft_nms(
        boxes, scores, labels, kind=kind, iou_threshold=0.3, sigma=0.5, score_threshold=0.05,
        limit=count,
    )  # fmt: skip
    slow = reference.soft_nms(
        boxes.tolist(), scores.tolist(), labels.tolist(), kind, 0.3, 0.5, 0.05
    )
    assert index.tolist() == [i for i, _ in slow]
    assert score.tolist() == pytest.approx([s for _, s in slow], abs=1e-6)
    if count == 40:
        assert len(slow) < 40, "the scene should be so crowded that some boxes fall out"


def test_the_limit_keeps_the_best_of_all_classes() -> None:
    boxes, scores, labels = crowd(50, 4, seed=3)
    options = {"kind": "gaussian", "iou_threshold": 0.5, "sigma": 0.5, "score_threshold": 0.0}
    everything, _ = soft_nms(boxes, scores, labels, limit=50, **options)
    best, _ = soft_nms(boxes, scores, labels, limit=7, **options)
    assert best.tolist() == everything[:7].tolist()


def test_by_hand() -> None:
    # IoU of the two is 0.5; the third is of another class.
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 10]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1])
    common = {"iou_threshold": 0.4, "sigma": 0.5, "score_threshold": 0.01, "limit": 10}
    _, linear = soft_nms(boxes, scores, labels, kind="linear", **common)
    assert linear.tolist() == pytest.approx([0.9, 0.7, 0.8 * 0.5])
    _, gaussian = soft_nms(boxes, scores, labels, kind="gaussian", **common)
    assert gaussian.tolist() == pytest.approx([0.9, 0.7, 0.8 * 0.60653066])
    none = torch.zeros((0, 4)), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    index, score = soft_nms(*none, kind="linear", **common)
    assert len(index) == 0 and len(score) == 0


def test_in_the_postprocess() -> None:
    preds = random_predictions(batch=2, size=96)
    geometries = [Geometry.identity((96, 96))] * 2
    hard = Postprocess(nms_threshold=0.3, score_threshold=0.2, max_detections=400)
    for kind in ("linear", "gaussian"):
        soft = Postprocess(
            nms_threshold=0.3, score_threshold=0.2, max_detections=400, nms_kind=kind
        )
        for a, b in zip(hard(preds, geometries), soft(preds, geometries)):
            assert len(b) > 0 and (b.scores[:-1] >= b.scores[1:]).all()
            assert (b.scores > 0.2).all() and torch.equal(a.boxes[:1], b.boxes[:1])
            assert not torch.equal(a.scores, b.scores)
