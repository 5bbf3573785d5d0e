"""The FCOS criterion against a slow, obvious version."""

import pytest
import torch

from otadet.assign import OTA
from otadet.criteria import FCOSCriterion, centerness, matched_targets
from otadet.losses import bce_loss, giou_loss, sigmoid_focal_loss
from otadet.types import Assignment, Predictions, Target
from tests.helpers import random_predictions, target

TARGETS = [target((4, 4, 30, 40, 1), (20, 10, 60, 50, 2)), target((10, 30, 50, 62, 0))]


def slow_loss(preds: Predictions, targets: list[Target], assignment: Assignment) -> torch.Tensor:
    cls = box = quality = torch.zeros(())
    for b, objects in enumerate(targets):
        for a in range(len(preds.points)):
            gt = int(assignment.gt_index[b, a])
            if gt == -2:
                continue
            label = torch.zeros(preds.num_classes)
            if gt >= 0:
                label[objects.labels[gt]] = 1
                box = box + giou_loss(preds.boxes[b, a][None], objects.boxes[gt][None]).sum()
                assert preds.quality_logits is not None
                quality = quality + bce_loss(preds.quality_logits[b, a], assignment.iou[b, a])
            cls = cls + sigmoid_focal_loss(preds.cls_logits[b, a], label).sum()
    norm = max(1, int((assignment.gt_index >= 0).sum()))
    return (cls + 2 * box + 0.5 * quality) / norm


def test_equals_the_slow_version_with_gradients() -> None:
    preds = random_predictions()
    report = FCOSCriterion(OTA())(preds, TARGETS)
    expected = slow_loss(preds, TARGETS, OTA()(preds, TARGETS))
    assert report.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert sum(t.item() for t in report.terms.values()) == pytest.approx(report.total.item())
    inputs = [preds.deltas, preds.cls_logits, preds.quality_logits]
    mine = torch.autograd.grad(report.total, inputs, retain_graph=True)
    theirs = torch.autograd.grad(expected, inputs)
    for a, b in zip(mine, theirs):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("quality", [True, False])
def test_a_batch_without_objects_is_finite(quality: bool) -> None:
    preds = random_predictions(quality=quality)
    report = FCOSCriterion(OTA())(preds, [target(), target()])
    report.total.backward()
    assert report.total.isfinite() and report.stats["positives"] == 0
    leaves = [preds.cls_logits, preds.deltas, preds.quality_logits]
    for leaf in [v for v in leaves if v is not None]:
        assert leaf.grad is not None and leaf.grad.isfinite().all()
    assert (preds.cls_logits.grad > 0).all()  # everything is pushed to background


def test_ignored_points_have_no_gradient() -> None:
    preds = random_predictions(batch=1)
    boxes, labels = TARGETS[0].boxes, TARGETS[0].labels
    whole = Target(boxes, labels, torch.tensor([[0.0, 0.0, 64.0, 64.0]]))
    index = OTA()(preds, [whole]).gt_index[0]
    assert (index == -2).any() and (index >= 0).any()
    FCOSCriterion(OTA())(preds, [whole]).total.backward()
    assert preds.cls_logits.grad is not None
    assert (preds.cls_logits.grad[0, index == -2] == 0).all()


def test_an_image_without_objects_beside_one_with_many() -> None:
    preds = random_predictions()
    targets = [target(), TARGETS[0]]
    boxes, labels = matched_targets(OTA()(preds, targets), targets)
    assert (labels[0] == -1).all() and set(labels[1].tolist()) == {-1, 1, 2}
    assert boxes[1][labels[1] == 2][0].tolist() == [20, 10, 60, 50]


def test_centerness_by_hand() -> None:
    ltrb = torch.tensor([[1.0, 2.0, 4.0, 2.0], [3.0, 3.0, 3.0, 3.0], [-1.0, 2.0, 4.0, 2.0]])
    assert centerness(ltrb).tolist() == pytest.approx([0.5, 1.0, 0.0])


def test_centerness_branch_learns_centerness() -> None:
    preds = random_predictions(batch=1)
    report = FCOSCriterion(OTA(), quality="centerness")(preds, [TARGETS[0]])
    index = OTA()(preds, [TARGETS[0]]).gt_index[0]
    total = 0.0
    for a in torch.nonzero(index >= 0).flatten().tolist():
        x1, y1, x2, y2 = TARGETS[0].boxes[int(index[a])].tolist()
        x, y = preds.points.xy[a].tolist()
        ltrb = torch.tensor([x - x1, y - y1, x2 - x, y2 - y])
        assert preds.quality_logits is not None
        total += bce_loss(preds.quality_logits[0, a], centerness(ltrb)).item()
    expected = 0.5 * total / int((index >= 0).sum())
    assert report.terms["quality"].item() == pytest.approx(expected, rel=1e-5)
