"""Both heads of the paper: the same towers, another coding of the box."""

import math
from dataclasses import replace

import pytest
import torch
from torchvision.models.detection._utils import BoxCoder

from otadet.assign import ATSS, OTA, PAA, FCOSAssigner, MaxIoU, SimOTA
from otadet.boxes import LOG_SIDE_LIMIT, boxes_from_squares
from otadet.criteria import FCOSCriterion
from otadet.data import ShapesDataset
from otadet.errors import InputError
from otadet.models import FCOSHead, RetinaHead
from otadet.visualize import draw_assignment
from tests.helpers import target

STRIDES = (8, 16)


def features() -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return [torch.randn(2, 16, 64 // s, 96 // s, generator=g) for s in STRIDES]


def retina(**options: object) -> RetinaHead:
    torch.manual_seed(0)
    return RetinaHead(16, 3, STRIDES, width=16, num_convs=1, **options)


def test_the_coding_is_torchvisions_beyond_its_clamp_too() -> None:
    g = torch.Generator().manual_seed(1)
    xy = torch.rand((50, 2), generator=g) * 300
    side = torch.rand(50, generator=g) * 100 + 8
    deltas = torch.randn((50, 4), generator=g) * 2
    deltas[:5, 2:] += 6.0
    anchors = torch.cat([xy - side[:, None] / 2, xy + side[:, None] / 2], dim=1)
    theirs = BoxCoder((1.0, 1.0, 1.0, 1.0)).decode_single(deltas, anchors)
    assert (deltas[:, 2:] > LOG_SIDE_LIMIT).any()
    assert torch.allclose(boxes_from_squares(xy, side, deltas), theirs, rtol=1e-5, atol=1e-3)


def test_decoding_by_hand() -> None:
    head = RetinaHead(4, 1, (8, 16), num_convs=0, quality="none", anchor_scale=4.0)
    with torch.no_grad():
        head.reg_out.weight.zero_()
        assert head.reg_out.bias is not None
        head.reg_out.bias.copy_(torch.tensor([0.5, -0.25, math.log(2), 0.0]))
    boxes = head([torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 1, 1)]).boxes[0]
    # Anchor of 32 px around (4, 4): centre (20, -4), 64 wide, 32 high; then twice of it all.
    expected = torch.tensor([[-12.0, -20, 52, 12], [-24, -40, 104, 24]])
    assert torch.allclose(boxes, expected, atol=1e-4)


def test_a_fresh_head_predicts_its_anchors() -> None:
    preds = retina()([f * 0 for f in features()])
    side = preds.points.stride[:, None] * 4
    expected = torch.cat([preds.points.xy - side, preds.points.xy + side], dim=1)
    assert torch.allclose(preds.boxes[0], expected, atol=0.5)


def test_the_hosts_differ_in_the_coding_alone() -> None:
    theirs = FCOSHead(16, 3, STRIDES, width=16, num_convs=1)
    mine = retina()
    mine.load_state_dict(theirs.state_dict())
    a, b = theirs(features()), mine(features())
    assert torch.equal(a.deltas, b.deltas) and torch.equal(a.cls_logits, b.cls_logits)
    assert torch.equal(a.quality_logits, b.quality_logits)  # type: ignore[arg-type]
    assert not torch.allclose(a.boxes, b.boxes)


def test_all_but_the_quality_branch_begins_alike_without_it() -> None:
    states = []
    for quality in ("iou", "none"):
        torch.manual_seed(0)
        states.append(retina(quality=quality).state_dict())
    assert set(states[0]) - set(states[1]) == {"quality_out.weight", "quality_out.bias"}
    assert all(torch.equal(value, states[0][name]) for name, value in states[1].items())


def test_extreme_regressions_stay_finite_and_are_float32() -> None:
    head = retina()
    with torch.no_grad():
        head.scales.fill_(1e6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        boxes = head(features()).boxes
    assert boxes.dtype == torch.float32 and boxes.isfinite().all()


@pytest.mark.parametrize("quality", ["iou", "centerness", "none"])
@pytest.mark.parametrize(
    "assigner",
    [OTA(), SimOTA(), FCOSAssigner(), FCOSAssigner(radius=None), ATSS(), PAA(), MaxIoU()],
    ids=lambda a: type(a).__name__,
)
def test_any_assigner_and_quality_on_retinanet(assigner, quality: str) -> None:
    head = retina(quality=quality)
    criterion = FCOSCriterion(assigner, quality=quality)  # type: ignore[arg-type]
    targets = [target((4, 4, 60, 50, 0), (50, 10, 90, 60, 2)), target((20, 8, 80, 60, 1))]
    report = criterion(head(features()), targets)
    assert report.positives > 0 and ("quality" in report.terms) == (quality != "none")
    report.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    assert head.reg_out.weight.grad is not None and head.reg_out.weight.grad.abs().sum() > 0


def test_predictions_are_explained_and_drawn() -> None:
    preds = retina()(features())
    one = replace(
        preds, boxes=preds.boxes[:1], cls_logits=preds.cls_logits[:1], deltas=preds.deltas[:1],
        quality_logits=None,
    )  # fmt: skip
    goal = target((4, 4, 60, 50, 0), (30, 10, 90, 60, 2))
    report = OTA().explain(one, [goal])
    assert all((row > 0).all() for row in report.received)
    background = ShapesDataset(1, size=(64, 96), object_size=(20.0, 40.0)).load(0).image
    positives = draw_assignment(background, one.points, report.assignment, goal, 0)
    report.assignment.gt_index.fill_(-1)
    assert (positives != draw_assignment(background, one.points, report.assignment, goal, 0)).any()


def test_wrong_options() -> None:
    with pytest.raises(InputError, match="anchor_scale: expected more than 0, got 0"):
        retina(anchor_scale=0.0)
    with pytest.raises(InputError, match=r"deform_head: .* got head_convs=0"):
        RetinaHead(16, 3, STRIDES, num_convs=0, deform=True)
