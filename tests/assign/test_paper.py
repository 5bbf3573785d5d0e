"""The paper's form of OTA: k over all predictions, a prior that only costs more."""

from dataclasses import replace

import pytest
import torch

from otadet.assign import OTA, CenterBox, DynamicK, FixedK, Newton, SoftCenter
from otadet.assign.flat_batch import flatten
from otadet.boxes import pairwise_iou
from tests.assign.scenes import crowd, scene

PAPER = OTA.paper(q=5)


@pytest.mark.parametrize("seed", range(4))
def test_k_sums_over_all_predictions(seed: int) -> None:
    preds, targets = scene((4, 0, 7), seed=seed)
    report = PAPER.explain(preds, targets)
    for boxes, gt, requested in zip(preds.boxes, targets, report.requested):
        best = pairwise_iou(gt.boxes, boxes).sort(dim=1, descending=True).values[:, :5]
        assert torch.equal(requested, best.sum(dim=1).floor().clamp(min=1))
    own = replace(PAPER, prior=CenterBox(1.5), supply=DynamicK(5)).explain(preds, targets)
    assert any((a > b).any() for a, b in zip(report.requested, own.requested))
    assert all((a >= b).all() for a, b in zip(report.requested, own.requested))


@pytest.mark.parametrize("on_a_grid", [True, False])
def test_points_beyond_the_closest_cost_more(on_a_grid: bool) -> None:
    preds, targets = scene((3,), seed=1)
    if not on_a_grid:
        shifted = replace(preds.points, grid=None, xy=preds.points.xy + 0.25)
        preds = replace(preds, points=shifted)
    batch = flatten(preds, targets)
    prior = SoftCenter(r=2, penalty=7.0, reach=4)
    found = prior(batch)
    assert found.penalty is not None
    points = preds.points
    for row, center in enumerate(batch.gt_centers):
        distance = (points.xy - center.clamp(torch.zeros(2), torch.tensor([80.0, 64.0]))).norm(
            dim=1
        )
        valid = found.valid[row]
        for level in range(3):
            mine = valid & (points.level[found.point[row]] == level)
            here = distance[points.level == level].sort().values
            own = distance[found.point[row][mine & (found.penalty[row] == 0)]].sort().values
            every = distance[found.point[row][mine]].sort().values
            assert torch.allclose(own, here[:4], atol=1e-3)
            assert torch.allclose(every, here[:16], atol=1e-3)
    assert {*found.penalty.unique().tolist()} == {0.0, 7.0}


def test_the_penalty_decides_how_far_objects_spread() -> None:
    """Of a crowd that asks for more than its closest points, some go farther at any price."""
    preds, targets = crowd(30, 1, seed=3)
    counts = {}
    for penalty in (0.0, 3.0, 1e6):
        assigner = OTA(prior=SoftCenter(2, penalty, 5), supply=FixedK(8), match=Newton())
        found = SoftCenter(2, 1.0, 5)(flatten(preds, targets))
        index = assigner(preds, targets).gt_index[0]
        far = 0
        for row in range(30):
            points = found.point[row][(found.penalty[row] > 0) & found.valid[row]]
            far += int((index[points] == row).sum())
        counts[penalty] = far
    assert counts[0.0] > counts[3.0] > 0 and counts[3.0] >= counts[1e6]


def test_wrong_numbers() -> None:
    with pytest.raises(ValueError, match="expected 1 <= r <= reach, got 5, 3"):
        SoftCenter(5, reach=3)
    with pytest.raises(ValueError, match=r"DynamicK\.q: expected at least 1, got 0"):
        DynamicK(0)
    with pytest.raises(ValueError, match=r"DynamicK\.over: expected 'object', 'image' or 'all'"):
        DynamicK(over="every")
