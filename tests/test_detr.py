"""DETR's matching and loss on a dense head: by hand, beside brute force, and over whole batches."""

import itertools
import sys

import pytest
import torch
from torchvision.ops import generalized_box_iou

from otadet.assign import DETRMatch
from otadet.criteria import DETRCriterion
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.losses import box_l1_loss, sigmoid_focal_loss
from otadet.points import input_size
from otadet.types import Points
from tests.helpers import random_predictions, target

TARGETS = [target((4, 6, 40, 30, 0), (20, 10, 60, 50, 2), (21, 11, 61, 50, 2)), target()]


def cost_of(preds, image: int, gt) -> torch.Tensor:
    """``[G, A]``, term by term from the paper, on a 64 px input."""

    def centre(boxes: torch.Tensor) -> torch.Tensor:
        sides = boxes[:, 2:] - boxes[:, :2]
        return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, sides], 1) / 64

    boxes = preds.boxes[image].detach()
    probability = preds.cls_logits[image].detach().sigmoid()[:, gt.labels].T
    l1 = torch.cdist(centre(gt.boxes), centre(boxes), p=1)
    return -probability + 5 * l1 - 2 * generalized_box_iou(gt.boxes, boxes)


def test_the_matching_is_the_cheapest_of_all() -> None:
    preds = random_predictions(size=64, quality=False, seed=3)
    gt_index = DETRMatch()(preds, TARGETS).gt_index
    assert (gt_index[1] == -1).all() and (gt_index[0] >= 0).sum() == 3
    cost = cost_of(preds, 0, TARGETS[0])
    taken = [int((gt_index[0] == g).nonzero()) for g in range(3)]
    mine = sum(float(cost[g, p]) for g, p in enumerate(taken))
    # The optimum uses none but each object's three cheapest points.
    few = cost.topk(3, largest=False).indices.tolist()
    ways = [w for w in itertools.product(*few) if len(set(w)) == 3]
    best = min(sum(float(cost[g, p]) for g, p in enumerate(w)) for w in ways)
    assert mine == pytest.approx(best, abs=1e-4)


def test_l1_by_hand_and_the_inputs_size() -> None:
    a, b = torch.tensor([[10.0, 20, 30, 60]]), torch.tensor([[20.0, 20, 60, 40]])
    # centres (20, 40) and (40, 30), sides (20, 40) and (40, 20), of an input of 200 x 100
    assert box_l1_loss(a, b, torch.tensor([200.0, 100.0])).item() == pytest.approx(
        20 / 200 + 10 / 100 + 20 / 200 + 20 / 100
    )
    points = random_predictions(size=96).points
    bare = Points(points.xy, points.stride, points.level)
    assert input_size(points).tolist() == input_size(bare).tolist() == [96, 96]


def test_the_loss_is_the_sum_over_matched_pairs() -> None:
    preds = random_predictions(size=64, seed=5)
    criterion = DETRCriterion(DETRMatch())
    report = criterion(preds, TARGETS)
    gt_index = DETRMatch()(preds, TARGETS).gt_index
    one_hot = torch.zeros_like(preds.cls_logits)
    l1 = giou = 0.0
    for g in range(3):
        point = int((gt_index[0] == g).nonzero())
        one_hot[0, point, TARGETS[0].labels[g]] = 1
        a, b = preds.boxes[0, point : point + 1].detach(), TARGETS[0].boxes[g : g + 1]
        l1 += float(box_l1_loss(a, b, torch.tensor([64.0, 64.0])))
        giou += 1 - float(generalized_box_iou(a, b))
    focal = float(sigmoid_focal_loss(preds.cls_logits, one_hot).sum().detach())
    assert float(report.terms["l1"]) == pytest.approx(5 * l1 / 3, rel=1e-4)
    assert float(report.terms["giou"]) == pytest.approx(2 * giou / 3, rel=1e-4)
    assert float(report.terms["cls"]) == pytest.approx(2 * focal / 3, rel=1e-4)
    assert report.positives == 3
    report.total.backward()
    empty = criterion(random_predictions(size=64), [target()] * 2)
    assert empty.total.isfinite() and empty.terms["l1"] == 0


def test_the_experiment_needs_no_nms() -> None:
    exp = load_exp(name="detr_match_fcos_r50")
    assert isinstance(exp.build_assigner(), DETRMatch) and exp.nms_threshold == 1
    assert isinstance(exp.build_criterion(), DETRCriterion) and exp.head_quality == "none"


def test_without_scipy_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(InputError, match=r"expected scipy.*pip install 'otadet\[exact\]'$"):
        DETRMatch()(random_predictions(), [target((8, 8, 40, 48, 0))] * 2)
