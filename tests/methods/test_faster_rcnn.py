"""Faster R-CNN: proposals, the two stages' targets and losses, and a real short training."""

import math
from pathlib import Path

import pytest
import torch
from torchvision.ops import box_iou, nms

import otadet
from otadet.assign import MaxIoU
from otadet.cli.export import main as export
from otadet.engine.checkpoint import save_checkpoint
from otadet.engine.evaluate import ValLoss
from otadet.engine.step import are_finite, finite_images
from otadet.errors import InputError
from otadet.exp import Exp, load_exp
from otadet.types import Points, Predictions, Target
from otadet_methods.faster_rcnn import ProposalIoU, RCNNCriterion, TwoStagePredictions
from otadet_methods.faster_rcnn.criterion import sample
from otadet_methods.faster_rcnn.network import _class_logits
from otadet_methods.faster_rcnn.proposals import propose
from tests.helpers import random_predictions, target

SMALL = {
    "backbone": "resnet10", "backbone_weights": None, "frozen_norm": False, "frozen_stages": 0,
    "fpn_channels": 32, "roi_width": 64, "proposals": 40, "anchor_scale": 4.0, "data_dir": None,
    "resize": "letterbox", "test_size": (96, 96), "input_size": (96, 96),
}  # fmt: skip
TARGETS = [target((8, 8, 40, 48, 0), (20, 4, 60, 30, 1)), target((30, 30, 62, 60, 1))]


@pytest.fixture(scope="module")
def exp() -> Exp:
    return load_exp(name="faster_rcnn_r50", overrides=SMALL)


@pytest.fixture(scope="module")
def preds(exp: Exp) -> TwoStagePredictions:
    torch.manual_seed(0)
    with torch.no_grad():
        found = exp.build_model(3).train()(torch.randint(0, 256, (2, 3, 96, 96)))
    assert isinstance(found, TwoStagePredictions)
    return found


def test_a_fixed_number_of_proposals_and_probabilities_that_are_softmax(
    preds: TwoStagePredictions,
) -> None:
    assert preds.boxes.shape == preds.proposals.shape == preds.deltas.shape == (2, 40, 4)
    assert preds.roi_logits.shape == (2, 40, 4) and preds.cls_logits.shape == (2, 40, 3)
    assert preds.valid.all()
    probability = preds.roi_logits.softmax(dim=-1)[..., 1:]
    torch.testing.assert_close(preds.cls_logits.sigmoid(), probability, atol=1e-6, rtol=1e-4)
    extreme = _class_logits(torch.tensor([[0.0, 200.0], [200.0, 0.0]]))
    assert extreme.isfinite().all() and extreme[0] > 13 and extreme[1] < -100


def test_anchors_are_torchvisions(preds: TwoStagePredictions) -> None:
    anchors = preds.rpn.points.anchors
    assert anchors is not None and anchors.shape == (3 * (24**2 + 12**2 + 6**2 + 3**2 + 2**2), 4)
    sides = anchors[:, 2:] - anchors[:, :2]
    assert sides[1].tolist() == [16, 16] and sides[-2].tolist() == [256, 256]
    assert preds.rpn.points.xy[3].tolist() == [4, 0] and preds.rpn.points.stride[-1] == 64
    ratios = (sides[:3, 1] / sides[:3, 0]).tolist()
    assert ratios == pytest.approx([0.5, 1.0, 2.0], rel=0.1)


def rpn_of(boxes: torch.Tensor, logits: torch.Tensor, level: torch.Tensor) -> Predictions:
    points = Points(boxes[0, :, :2], torch.ones(len(level)), level)
    return Predictions(boxes, logits[..., None], None, boxes, points)


def test_proposals_equal_the_slow_way() -> None:
    """One image and one level after the other with torchvision's NMS."""
    g = torch.Generator().manual_seed(1)
    corner = torch.rand((3, 90, 2), generator=g) * 80 - 10
    boxes = torch.cat([corner, corner + torch.rand((3, 90, 2), generator=g) * 50], dim=-1)
    logits = torch.randn((3, 90), generator=g)
    levels = [50, 30, 10]
    level = torch.repeat_interleave(torch.arange(3), torch.tensor(levels))
    found, valid = propose(rpn_of(boxes, logits, level), levels, (70, 90), 25, 30, 0.7)
    for image in range(3):
        kept: list[tuple[float, list[float]]] = []
        for index in range(3):
            mine = (level == index).nonzero().squeeze(1)
            best = mine[logits[image, mine].argsort(descending=True)[:25]]
            clipped = boxes[image, best].clone()
            clipped[:, 0::2], clipped[:, 1::2] = (
                clipped[:, 0::2].clamp(0, 90), clipped[:, 1::2].clamp(0, 70),
            )  # fmt: skip
            solid = (clipped[:, 2:] - clipped[:, :2]).amin(dim=1) >= 0.01
            clipped, best = clipped[solid], best[solid]
            left = nms(clipped, logits[image, best], 0.7).tolist()
            kept += [(float(logits[image, best[i]]), clipped[i].tolist()) for i in left]
        kept = sorted(kept, key=lambda k: -k[0])[:30]
        assert int(valid[image].sum()) == len(kept)
        torch.testing.assert_close(
            found[image, : len(kept)], torch.tensor([box for _, box in kept])
        )


def test_few_proposals_are_filled_up_and_say_nothing() -> None:
    boxes = torch.tensor([[[0.0, 0, 9, 9], [20, 20, 29, 29]], [[5.0, 5, 5, 9], [30, 30, 40, 40]]])
    rpn = rpn_of(boxes, torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64))
    found, valid = propose(rpn, [2], (64, 64), 10, 3, 0.7)
    assert valid.tolist() == [[True, True, False], [True, False, False]]
    assert found[1].tolist() == [[30, 30, 40, 40], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_which_proposal_serves_which_object(preds: TwoStagePredictions) -> None:
    region = torch.tensor([[0.0, 0, 96, 40]])
    gt = Target(preds.proposals[0, [3, 7]] + 0.5, torch.tensor([1, 2]), region)
    assignment = ProposalIoU(0.5)(preds.second_stage, [gt, target()])
    boxes = preds.proposals[0]
    overlap = (torch.minimum(boxes[:, 3], region[0, 3]) - boxes[:, 1]).clamp(min=0)
    ignored = overlap / (boxes[:, 3] - boxes[:, 1]) > 0.5
    iou = box_iou(boxes, gt.boxes)
    expected = torch.where(iou.max(1).values >= 0.5, iou.argmax(1), -1)
    expected = torch.where(ignored, -2, expected)
    assert torch.equal(assignment.gt_index[0], expected)
    assert {-2, -1} < set(expected.tolist()) and (assignment.gt_index[1] == -1).all()


def test_rpn_anchors_by_their_iou(preds: TwoStagePredictions) -> None:
    anchors = preds.rpn.points.anchors
    assignment = MaxIoU(positive=0.7, negative=0.3)(preds.rpn, TARGETS)
    for image, gt in enumerate(TARGETS):
        iou = box_iou(anchors, gt.boxes)
        got, best = assignment.gt_index[image], iou.max(1).values
        low = (iou == iou.max(0).values).any(1)
        assert (got[(best >= 0.7) | low] >= 0).all()
        assert (got[(best < 0.3) & ~low] == -1).all()
        assert (got[(best >= 0.3) & (best < 0.7) & ~low] == -2).all()


def test_samples_have_their_sizes() -> None:
    labels = torch.full((3, 100), -1)
    labels[0, :40], labels[1, :5], labels[2, :] = 2, 0, -2
    torch.manual_seed(0)
    drawn = sample(labels, 40, 0.25)
    assert drawn.sum(1).tolist() == [40, 40, 0]
    assert (drawn & (labels >= 0)).sum(1).tolist() == [10, 5, 0]
    assert not torch.equal(drawn, sample(labels, 40, 0.25))
    torch.manual_seed(0)
    assert torch.equal(drawn, sample(labels, 40, 0.25))


def test_the_loss_by_hand(preds: TwoStagePredictions) -> None:
    """All anchors and proposals drawn, one after the other."""
    report = RCNNCriterion(rpn_samples=10**6, roi_samples=10**6)(preds, TARGETS)
    first = MaxIoU(positive=0.7, negative=0.3)(preds.rpn, TARGETS).gt_index
    second = ProposalIoU(0.5)(preds.second_stage, TARGETS).gt_index
    total, count = 0.0, 0
    for image, gt in enumerate(TARGETS):
        for index, who in enumerate(second[image].tolist()):
            label = 0 if who < 0 else 1 + int(gt.labels[who])
            total -= float(preds.roi_logits[image, index].log_softmax(0)[label])
            count += 1
    assert float(report.terms["cls"]) == pytest.approx(total / count, rel=1e-4)
    total, count = 0.0, 0
    for image in range(2):
        for index, who in enumerate(first[image].tolist()):
            if who != -2:
                logit = float(preds.rpn.cls_logits[image, index, 0])
                total += math.log1p(math.exp(-logit if who >= 0 else logit))
                count += 1
    assert float(report.terms["rpn_cls"]) == pytest.approx(total / count, rel=1e-4)
    total = 0.0
    for image, gt in enumerate(TARGETS):
        for index in (first[image] >= 0).nonzero().flatten().tolist():
            a = preds.rpn.points.anchors[index].tolist()
            b = gt.boxes[first[image, index]].tolist()
            w, h = a[2] - a[0], a[3] - a[1]
            goal = [(b[0] + b[2] - a[0] - a[2]) / 2 / w, (b[1] + b[3] - a[1] - a[3]) / 2 / h,
                    math.log((b[2] - b[0]) / w), math.log((b[3] - b[1]) / h)]  # fmt: skip
            for said, wanted in zip(preds.rpn.deltas[image, index].tolist(), goal):
                gap = abs(said - wanted)
                total += gap**2 * 4.5 if gap < 1 / 9 else gap - 1 / 18
    assert float(report.terms["rpn_box"]) == pytest.approx(total / count, rel=1e-3)


def test_pictures_without_objects_and_predictions_of_one_stage(exp: Exp) -> None:
    model = exp.build_model(3).train()
    report = exp.build_criterion()(model(torch.randint(0, 256, (2, 3, 64, 64))), [target()] * 2)
    report.total.backward()
    assert report.total.isfinite() and report.terms["box"] == 0 and report.positives > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with pytest.raises(ValueError, match="expected TwoStagePredictions"):
        RCNNCriterion()(random_predictions(), TARGETS)


def test_proposals_are_pooled_where_they_lie_in_half_precision_too(exp: Exp) -> None:
    """A bfloat16 near 1000 px is off by up to two pixels."""
    model = exp.build_model(3).eval()
    pooled: list[torch.Tensor] = []
    model.head.pool.register_forward_pre_hook(lambda _, args: pooled.extend(args[1]))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(torch.randint(0, 256, (1, 3, 96, 96)))
    assert torch.equal(pooled[0], found.proposals[0])
    assert found.roi_logits.isfinite().all()


@pytest.mark.parametrize("layer", ["cls_logits", "bbox_pred"])
def test_a_first_stage_that_is_not_finite_is_seen(exp: Exp, layer: str) -> None:
    """Its boxes become no proposals, so that the second stage alone looks sound."""
    model = exp.build_model(3)
    getattr(model.head.rpn_head, layer).bias.data.fill_(math.nan)
    with torch.no_grad():
        found = model(torch.randint(0, 256, (2, 3, 96, 96)))
    assert found.boxes.isfinite().all() and found.cls_logits.isfinite().all()
    assert not finite_images(found).any() and are_finite(found) == (False, False)


def test_it_learns_a_scene_and_the_api_finds_it(exp: Exp, tmp_path: Path) -> None:
    """A few steps on one image; then the boxes come back through the checkpoint and the API."""
    torch.manual_seed(0)
    input_image = torch.full((1, 3, 96, 96), 120, dtype=torch.uint8)
    input_image[:, 0, 16:48, 16:56], input_image[:, 2, 60:84, 30:60] = 255, 255
    gt = [target((16, 16, 56, 48, 0), (30, 60, 60, 84, 2))]
    model, criterion = exp.build_model(3).train(), exp.build_criterion()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        criterion(model(input_image), gt).total.backward()
        optimizer.step()
    save_checkpoint(
        tmp_path / "best.pth", experiment="faster_rcnn_r50", settings=exp.as_dict(),
        class_names=("a", "b", "c"), weights=model.state_dict(), step=50, metrics={},
    )  # fmt: skip
    detector = otadet.load(tmp_path / "best.pth", device="cpu", score=0.3)
    found = detector(input_image[0].permute(1, 2, 0).numpy())
    for box, label in zip(gt[0].boxes, gt[0].labels):
        mine = found.boxes[found.labels == label]
        assert box_iou(box[None], mine).max() > 0.6
    with pytest.raises(InputError, match="expected a one-stage detector, got faster_rcnn_r50"):
        export(["-c", str(tmp_path / "best.pth"), "--output", str(tmp_path / "a.onnx")])
    assert not (tmp_path / "a.onnx").exists()


def test_an_evaluation_draws_the_same_samples_and_leaves_the_runs_numbers_alone(
    preds: TwoStagePredictions,
) -> None:
    few = RCNNCriterion(rpn_samples=8, roi_samples=8)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    losses = [ValLoss(few) for _ in range(2)]
    for loss in losses:
        loss.add(preds, TARGETS)
    assert torch.equal(torch.get_rng_state(), before)
    assert losses[0].compute() == losses[1].compute()
    assert few(preds, TARGETS).total != few(preds, TARGETS).total
