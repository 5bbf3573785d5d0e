"""Detections from predictions, by hand."""

import pytest
import torch

from otadet.geometry import Geometry
from otadet.points import grid_points
from otadet.postprocess import Postprocess, combined_scores
from otadet.types import GridLevel, Predictions

FAR = -20.0


def predictions(boxes: list[list[float]], logits: list[list[float]]) -> Predictions:
    count = len(boxes)
    return Predictions(
        boxes=torch.tensor([boxes]),
        cls_logits=torch.tensor([logits]),
        quality_logits=torch.full((1, count), 20.0),
        deltas=torch.zeros(1, count, 4),
        points=grid_points([GridLevel(1, count, 8)]),
    )


BOXES = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [50.0, 50.0, 60.0, 60.0]]


def test_the_weaker_of_two_overlapping_boxes_of_a_class_goes() -> None:
    preds = predictions(BOXES, [[1.0, FAR], [2.0, FAR], [0.0, FAR]])
    (found,) = Postprocess()(preds, [Geometry.identity((100, 100))])
    assert found.boxes.tolist() == [BOXES[1], BOXES[2]]
    assert found.labels.tolist() == [0, 0]
    assert found.scores.tolist() == pytest.approx([0.8808**0.5, 0.5**0.5], abs=1e-3)


def test_boxes_of_two_classes_stay() -> None:
    preds = predictions(BOXES, [[1.0, FAR], [FAR, 2.0], [FAR, FAR]])
    (found,) = Postprocess()(preds, [Geometry.identity((100, 100))])
    assert found.labels.tolist() == [1, 0]


def test_a_point_may_have_all_its_classes_or_only_the_best() -> None:
    """Equal logits: the first class is the best, as in the exported graph and in numpy."""
    preds = predictions([BOXES[0], BOXES[2]], [[1.0, 2.0, FAR], [3.0, 3.0, -1.0]])
    geometry = [Geometry.identity((100, 100))]
    (everything,) = Postprocess()(preds, geometry)
    assert sorted(everything.labels.tolist()) == [0, 0, 1, 1, 2]
    (best,) = Postprocess(point_labels="best")(preds, geometry)
    assert best.labels.tolist() == [0, 1]
    assert best.scores.tolist() == pytest.approx([0.9526**0.5, 0.8808**0.5], abs=1e-3)
    (none,) = Postprocess(point_labels="best", score_threshold=0.99)(preds, geometry)
    assert len(none) == 0


def test_threshold_cap_and_product_rule() -> None:
    preds = predictions(BOXES, [[1.0, FAR], [FAR, 2.0], [-1.0, FAR]])
    geometry = [Geometry.identity((100, 100))]
    assert len(Postprocess(max_detections=1)(preds, geometry)[0]) == 1
    (found,) = Postprocess(score_rule="product", score_threshold=0.3)(preds, geometry)
    assert found.scores.tolist() == pytest.approx([0.8808, 0.7311], abs=1e-3)
    assert len(Postprocess(score_threshold=0.99)(preds, geometry)[0]) == 0


def test_without_a_quality_branch_the_class_decides() -> None:
    logits = torch.tensor([[[0.0]]])
    assert combined_scores(logits, None, "geometric").item() == 0.5
    assert combined_scores(logits, torch.tensor([[0.0]]), "geometric").item() == 0.5
    assert combined_scores(logits, torch.tensor([[0.0]]), "product").item() == 0.25


def test_detections_are_in_the_image_frame() -> None:
    preds = predictions(BOXES, [[FAR, FAR], [FAR, FAR], [3.0, FAR]])
    geometry = Geometry.identity((50, 50)).resized((100, 100))
    (found,) = Postprocess()(preds, [geometry])
    assert found.boxes.tolist() == [[25.0, 25.0, 30.0, 30.0]]


def test_half_precision_outputs_and_many_candidates() -> None:
    count = 3000
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand((1, count, 2, 2), generator=generator) * 500
    preds = Predictions(
        boxes=torch.cat([corners.amin(2), corners.amax(2)], dim=-1).to(torch.bfloat16),
        cls_logits=torch.rand((1, count, 2), generator=generator).to(torch.bfloat16),
        quality_logits=None,
        deltas=torch.zeros(1, count, 4),
        points=grid_points([GridLevel(1, 2000, 8), GridLevel(1, 1000, 16)]),
    )
    (found,) = Postprocess(max_detections=50)(preds, [Geometry.identity((500, 500))])
    assert len(found) == 50 and found.boxes.dtype == torch.float32
    assert (found.scores[:-1] >= found.scores[1:]).all()
    (everything,) = Postprocess(max_detections=50, candidates=10**6)(
        preds, [Geometry.identity((500, 500))]
    )
    assert torch.equal(everything.scores[:10], found.scores[:10])
