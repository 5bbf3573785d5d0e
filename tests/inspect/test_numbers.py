"""What the inspector says is what the assigners did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from otadet.assign import OTA, Assigner, ClosestPerLevel, Exact, Newton, SimOTA
from otadet.boxes import IOU_EPS
from otadet.exp.methods import METHODS
from otadet.inspect import inspect_assigner, take_snapshot
from otadet.inspect.colors import COUNT, object_colors
from otadet.inspect.pairs import CLAIM, RIVALS
from otadet.postprocess import combined_scores
from otadet.types import Target
from tests.inspect.scenes import CLASSES, crowd, network

SIDE = 160
ASSIGNERS: dict[str, Assigner] = {
    **{str(name): METHODS[name].build_assigner() for name in METHODS},
    "simota yolox": SimOTA.yolox(),
    "ota paper prior": OTA(prior=ClosestPerLevel(3)),
}
every = pytest.mark.parametrize("name", ASSIGNERS)


@every
def test_counts_are_those_of_explain(name: str) -> None:
    target = crowd(25, SIDE)
    preds = network(target, SIDE)
    view = inspect_assigner(name, ASSIGNERS[name], preds, target)
    report = ASSIGNERS[name].explain(preds, [target])
    index = report.assignment.gt_index[0]
    assert np.array_equal(view.gt_index, index.numpy())
    for field in ("requested", "supply", "received", "positives", "candidates", "cost"):
        found = getattr(view.objects, field)
        assert np.allclose(found, getattr(report, field)[0].double().numpy()), field
    for k in range(len(target)):
        level = preds.points.level[index == k]
        assert view.objects.by_level[k].tolist() == [int((level == j).sum()) for j in range(3)]
        reachable = report.reachable[0][k].numpy()
        assert np.isin(reachable, np.flatnonzero(view.contenders)).all()
    assert view.contenders.sum() == view.objects.candidates.sum()
    output = ASSIGNERS[name].run(preds, [target])
    assert output.problem is not None and output.result is not None and output.winner is not None
    rows = output.problem.candidates.rows
    moved = (output.winner >= 0) & (output.winner != output.result.winner)
    points = moved.nonzero()[:, 0] if rows is None else rows[moved]
    assert np.flatnonzero(view.given_back).tolist() == points.tolist()
    totals = view.totals
    assert totals.positives == int((index >= 0).sum())
    assert totals.without_point == int((report.positives[0] == 0).sum())
    assert totals.ambiguous == int(report.ambiguous[0])
    assert totals.ambiguous == view.ambiguous.sum() or "ota" in name  # it has not converged
    assert totals.ignored == int((index == -2).sum())
    assert totals.cost == pytest.approx(view.objects.cost.sum(), rel=1e-5)
    assert totals.milliseconds > 0


@every
def test_pairs_are_those_of_the_problem(name: str) -> None:
    """Each point: its owner first, then the others by preference; parts sum to the cost."""
    target = crowd(25, SIDE)
    preds = network(target, SIDE)
    view = inspect_assigner(name, ASSIGNERS[name], preds, target)
    output = ASSIGNERS[name].run(preds, [target])
    problem, result = output.problem, output.result
    assert problem is not None and result is not None
    plan = {
        (int(o), int(p)): float(s)
        for o, p, s in zip(
            *(getattr(output.report().plan[0], f) for f in ("object", "point", "share"))
        )
    }
    table: dict[int, list[tuple[int, int]]] = {}
    for row, slot in problem.candidates.valid.nonzero().tolist():
        table.setdefault(int(problem.candidates.point[row, slot]), []).append((row, slot))
    pairs = view.pairs
    assert (np.diff(pairs.point) >= 0).all()
    assert set(pairs.point.tolist()) == set(table)
    for point, candidates in table.items():
        mine = np.flatnonzero(pairs.point == point)
        assert len(mine) == min(RIVALS, len(candidates))
        owner = int(view.gt_index[point])
        candidates.sort(key=lambda pair: (pair[0] != owner, -float(result.preference[pair])))
        for k, (row, slot) in zip(mine, candidates):
            assert pairs.object[k] == row or result.preference[row, slot] == pytest.approx(
                float(result.preference[row, slot])
            )
            own = next(s for r, s in candidates if r == pairs.object[k])
            pair = int(pairs.object[k]), own
            assert pairs.cost[k] == pytest.approx(float(problem.cost.object[pair]), rel=1e-4)
            assert pairs.background[k] == pytest.approx(float(problem.cost.background[pair]))
            assert pairs.iou[k] == pytest.approx(float(problem.iou[pair]))
            share = plan.get((pair[0], point), 0.0)
            assert pairs.share[k] == pytest.approx(share, abs=1e-6)
            claimed = share >= CLAIM if result.claimed is None else bool(result.claimed[pair])
            assert pairs.claimed[k] == claimed
    assert len(view.part_names) == pairs.parts.shape[1]


def test_parts_have_the_weights_of_the_cost() -> None:
    target = crowd(10, SIDE)
    preds = network(target, SIDE)
    ota, simota, yolox = (
        inspect_assigner("", assigner, preds, target)
        for assigner in (OTA(), SimOTA(), SimOTA.yolox())
    )
    assert ota.part_names == ("Focal", "1.5 IoU") and simota.part_names == ("BCE", "3 IoU")
    assert np.allclose(ota.pairs.parts[:, 1], -1.5 * np.log(np.maximum(ota.pairs.iou, IOU_EPS)))
    assert yolox.part_names == ("BCE", "3 IoU", "penalty")
    assert set(yolox.pairs.parts[:, 2].tolist()) == {0.0, 1e6}


def test_the_gap_is_the_distance_to_the_exact_solution() -> None:
    target = crowd(25, SIDE)
    preds = network(target, SIDE)

    def reduced(assigner: Assigner) -> float:
        """Cost less that of the background, over the pairs of the assignment."""
        pairs = inspect_assigner("", assigner, preds, target).pairs
        index = assigner(preds, [target]).gt_index[0].numpy()
        own = index[pairs.point] == pairs.object
        return float((pairs.cost - pairs.background)[own].sum())

    best = reduced(OTA(match=Exact()))
    for assigner in (OTA(), OTA(match=Newton()), OTA(match=Exact())):
        gap = inspect_assigner("", assigner, preds, target).totals.gap
        assert gap == pytest.approx(reduced(assigner) - best, abs=1e-2)
    assert inspect_assigner("", OTA(match=Exact()), preds, target).totals.gap == 0
    assert inspect_assigner("", ASSIGNERS["atss"], preds, target).totals.gap is None


def test_contested_points_of_a_rule_are_those_of_several_claims() -> None:
    """Two objects at one place: SimOTA's claims meet, and one of them ends with nothing."""
    boxes = torch.tensor([[40.0, 40, 72, 72]]).expand(2, 4)
    target = Target(boxes, torch.zeros(2, dtype=torch.int64))
    view = inspect_assigner("simota", SimOTA(), network(target, SIDE), target)
    pairs = view.pairs
    claims = np.bincount(pairs.point[pairs.claimed], minlength=len(view.gt_index))
    assert np.array_equal(view.ambiguous, claims == 2) and view.ambiguous.any()
    assert view.totals.without_point == 1


def test_scores_are_those_of_detection() -> None:
    target = crowd(5, SIDE)
    preds = network(target, SIDE)
    found = take_snapshot("", preds, target, {"ota": OTA()}, OTA(), "product")
    scores = combined_scores(preds.cls_logits, preds.quality_logits, "product")[0]
    point = int(scores.amax(dim=1).argmax())
    assert found.scores[point] == pytest.approx(float(scores.max()))
    assert found.labels[point] == int(scores[point].argmax()) < len(CLASSES)
    assert [view.own for view in found.views] == [True]


def test_predictions_without_classes_take_all_objects_as_one_class() -> None:
    """As an RPN's: of one logit, whatever the objects' labels."""
    target = crowd(8, SIDE)
    preds = replace(network(target, SIDE), cls_logits=network(target, SIDE).cls_logits[..., :1])
    found = take_snapshot("", preds, target, {"ota": OTA()}, OTA(), "product")
    same = replace(target, labels=torch.zeros_like(target.labels))
    assert int(target.labels.max()) == 1 and set(found.labels.tolist()) == {-1}
    assert found.views[0].gt_index.tolist() == OTA()(preds, [same]).gt_index[0].tolist()


def test_an_image_without_objects_is_refused() -> None:
    target = crowd(0, SIDE)
    with pytest.raises(ValueError, match="at least one object"):
        inspect_assigner("ota", OTA(), network(target, SIDE), target)


def test_neighbours_have_different_colors() -> None:
    rows = np.array([[x, y, x + 9, y + 9] for y in range(0, 60, 10) for x in range(0, 60, 10)])
    colors = np.array(object_colors(rows.astype(float))).reshape(6, 6)
    assert (colors[:, 1:] != colors[:, :-1]).all() and (colors[1:] != colors[:-1]).all()
    assert (colors[1:, 1:] != colors[:-1, :-1]).all()
    stack = object_colors(np.array([[0.0, 0, 9, 9]] * (COUNT + 1)))
    assert len(set(stack)) == COUNT
    assert object_colors(np.zeros((0, 4))) == []


def test_only_anchors_of_the_own_scale_make_an_assigner_the_own_one() -> None:
    target = crowd(5, SIDE)
    preds = network(target, SIDE)
    atss = METHODS["atss"].build_assigner(4.0)
    shown = {"atss": atss, "other": METHODS["atss"].build_assigner(8.0)}
    found = take_snapshot("", preds, target, shown, replace(atss), "product")  # type: ignore[type-var]
    assert [view.own for view in found.views] == [True, False]
