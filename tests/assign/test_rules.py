"""LLA, FoveaBox, FSAF and the bag on cases that are worked out by hand."""

from dataclasses import replace

import pytest
import torch

from otadet.assign import LLA, Assigner, InsideBox
from otadet.points import grid_points
from otadet.types import BACKGROUND, IGNORED, GridLevel, Predictions, Target
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.foveabox import FoveaBox
from otadet_methods.fsaf import FSAF
from tests.helpers import target

GRID = (GridLevel(16, 16, 8), GridLevel(8, 8, 16), GridLevel(4, 4, 32))
POINTS = grid_points(GRID)
BOX = torch.tensor([40.0, 40, 80, 80])


def flat(logit: float = 0.0) -> Predictions:
    """The same box around every point, one class."""
    count = len(POINTS)
    boxes = POINTS.xy.repeat(1, 2) + torch.tensor([-4.0, -4, 4, 4])
    return Predictions(
        boxes[None], torch.full((1, count, 1), logit), None, torch.zeros(1, count, 4), POINTS
    )


def at(level: int, *xy: tuple[float, float]) -> set[int]:
    """Indices of points by level and place."""
    found = set()
    for x, y in xy:
        here = (POINTS.level == level) & (POINTS.xy == torch.tensor([x, y])).all(dim=1)
        found.add(int(here.nonzero()[0, 0]))
    return found


def with_iou(preds: Predictions, values: dict[int, float]) -> Predictions:
    """Predicted boxes at some points that share their upper left corner with BOX."""
    boxes = preds.boxes.clone()
    for index, iou in values.items():
        boxes[0, index] = torch.tensor([40.0, 40, 80, 40 + 40 * iou])
    return replace(preds, boxes=boxes)


def positives(assigner: Assigner, preds: Predictions, gt: Target) -> list[set[int]]:
    index = assigner(preds, [gt]).gt_index[0]
    return [set((index == g).nonzero().flatten().tolist()) for g in range(len(gt))]


ONE = target((40, 40, 80, 80, 0))


def test_foveabox() -> None:
    # sqrt(40 * 40) = 40. Levels are made for 4 strides, 32, 64 and 128 px, from a half to twice:
    # 0 to 64 and 32 to 128 hold 40, 64 to infinity does not. The shrunk box is 0.4 * 40 = 16 px
    # wide, 52 to 68: of the points 44, 52, 60, 68 only 60 is inside; of 40, 56, 72 only 56.
    expected = at(0, (60, 60)) | at(1, (56, 56))
    assert positives(FoveaBox(), flat(), ONE) == [expected]
    # 0.6 * 40 = 24 px, 48 to 72: 52, 60 and 68 on the first level, still 56 on the second.
    near = [(x, y) for x in (52.0, 60.0, 68.0) for y in (52.0, 60.0, 68.0)]
    assert positives(FoveaBox(shrink=0.6), flat(), ONE) == [at(0, *near) | at(1, (56, 56))]


def test_foveabox_leaves_a_shared_point_to_the_smaller_object() -> None:
    both = target((40, 40, 80, 80, 0), (30, 30, 90, 90, 0))
    small, large = positives(FoveaBox(), flat(), both)
    assert small == at(0, (60, 60)) | at(1, (56, 56))
    # The large one's shrunk box is 24 px wide, 48 to 72, its size 60 fits the same two levels.
    near = [(x, y) for x in (52.0, 60.0, 68.0) for y in (52.0, 60.0, 68.0)]
    assert large == (at(0, *near) - at(0, (60, 60)))


def test_foveabox_between_the_points() -> None:
    # 6 px wide, 2.4 px shrunk: no point is inside, (60, 60) is the closest.
    small = target((60.5, 60.5, 66.5, 66.5, 0))
    assert positives(FoveaBox(min_positives=0), flat(), small) == [set()]
    assert positives(FoveaBox(), flat(), small) == [at(0, (60, 60))]


def test_fsaf_takes_the_level_of_the_least_loss() -> None:
    # The effective area is 0.2 * 40 = 8 px wide, 56 to 64. Cells that meet it: around 60 at stride
    # 8 (52 to 56 only touches), 56 at stride 16, 48 at stride 32: one point a level.
    fine, middle, coarse = at(0, (60, 60)), at(1, (56, 56)), at(2, (48, 48))
    [a], [b], [c] = fine, middle, coarse
    preds = with_iou(flat(), {a: 0.5, b: 0.9, c: 0.25})
    # All classes alike, so -log IoU decides: 0.69, 0.11, 1.39.
    index = FSAF()(preds, [ONE]).gt_index[0]
    assert set((index == 0).nonzero().flatten().tolist()) == middle
    # Ignoring area: 20 px wide, 50 to 70, on the level and on both beside it. Cells that meet it:
    # 52, 60, 68; 56, 72; 48, 80.
    nine = [(x, y) for x in (52.0, 60.0, 68.0) for y in (52.0, 60.0, 68.0)]
    four = [(x, y) for x in (56.0, 72.0) for y in (56.0, 72.0)]
    last = [(x, y) for x in (48.0, 80.0) for y in (48.0, 80.0)]
    left_out = at(0, *nine) | at(1, *four) | at(2, *last)
    assert set((index == IGNORED).nonzero().flatten().tolist()) == left_out - middle
    assert int((index == BACKGROUND).sum()) == len(POINTS) - 17


def test_fsaf_looks_at_the_class_too() -> None:
    fine, middle = at(0, (60, 60)).pop(), at(1, (56, 56)).pop()
    preds = with_iou(flat(), {fine: 0.95, middle: 0.9})
    # Equal logits of 0: 0.25 * 0.25 * 0.693 = 0.043 each, then 0.051 against 0.105.
    assert positives(FSAF(), preds, ONE) == [{fine}]
    # A logit of -4 on the fine level: 0.25 * 0.964 * 4.018 = 0.969 more than decides.
    logits = preds.cls_logits.clone()
    logits[0, fine] = -4
    assert positives(FSAF(), replace(preds, cls_logits=logits), ONE) == [{middle}]


def test_fsaf_leaves_the_far_level_alone() -> None:
    preds = with_iou(flat(), {at(0, (60, 60)).pop(): 0.9})
    index = FSAF()(preds, [ONE]).gt_index[0]
    assert not bool((index[POINTS.level == 2] == IGNORED).any())
    assert bool((index[POINTS.level == 1] == IGNORED).any())


def test_lla_takes_the_cheapest_inside() -> None:
    # 16, 4 and 1 points lie inside a box of 32 px; ten are asked for.
    gt = target((0, 0, 32, 32, 0))
    inside = ((POINTS.xy > 0) & (POINTS.xy < 32)).all(dim=1).nonzero().flatten()
    assert len(inside) == 21
    preds = flat()
    boxes, logits = preds.boxes.clone(), preds.cls_logits.clone()
    boxes[0, inside] = gt.boxes[0]
    logits[0, inside, 0] = torch.linspace(-1, 1, 21)
    logits[0, 255] = 5.0  # far outside: never, however well it is classified
    boxes[0, 255] = gt.boxes[0]
    preds = replace(preds, boxes=boxes, cls_logits=logits)
    assert positives(LLA(), preds, gt) == [set(inside[-10:].tolist())]
    # A box without any overlap costs 1 - GIoU > 1; no class loss between -1 and 1 makes up for it:
    # 0.25 * 0.534 * 1.313 = 0.18 at -1.
    boxes = boxes.clone()
    boxes[0, inside[-1]] = torch.tensor([100.0, 100, 110, 110])
    chosen = positives(LLA(), replace(preds, boxes=boxes), gt)
    assert chosen == [set(inside[-11:-1].tolist())]


@pytest.mark.parametrize(("k", "around"), [(1, 0), (5, 4)])
def test_bag_by_iou_of_anchors(k: int, around: int) -> None:
    # Anchors of 64 px at stride 8; the one at (60, 60) is the object. Its neighbours are 8 px off:
    # 56 * 64 / (2 * 4096 - 3584) = 0.78; the diagonal ones 0.62; those of 128 px at most 0.25.
    gt = target((28, 28, 92, 92, 0))
    expected = at(0, (60, 60), *[(52.0, 60.0), (68.0, 60.0), (60.0, 52.0), (60.0, 68.0)][:around])
    assert positives(AnchorBag(k), flat(), gt) == [expected]


def test_bag_of_all_points_inside() -> None:
    (bag,) = positives(AnchorBag(None, InsideBox()), flat(), target((0, 0, 32, 32, 0)))
    assert len(bag) == 21
