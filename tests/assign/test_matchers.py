"""Matchers against theorems: the optimum by trial, limits in eps, marginals, supplies."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from otadet.assign import (
    OTA,
    ClosestPerLevel,
    Exact,
    FixedK,
    Hungarian,
    Newton,
    ResolveAmbiguous,
    SimOTA,
    Sinkhorn,
    TopK,
)
from otadet.assign.candidates import Candidates
from otadet.assign.costs import PairCost
from otadet.assign.flat_batch import flatten
from otadet.assign.matcher import MatchProblem
from otadet.assign.min_positives import ensure_min_positives
from otadet.assign.sinkhorn import by_row_maximum, sinkhorn_potentials
from otadet.assign.transport import ambiguous_points, transport_problem
from otadet.points import grid_points
from otadet.types import GridLevel, Target
from tests import reference as slow
from tests.assign.scenes import crowd, predictions, scene


def tiny_problem(seed: int, objects: int = 2, points: int = 7) -> tuple[MatchProblem, np.ndarray]:
    """Random costs on a few points; every point is everybody's candidate."""
    rng = torch.Generator().manual_seed(seed)
    grid = grid_points([GridLevel(1, points, 8)])
    target = Target(torch.tensor([[0.0, 0, 8 * points, 8]] * objects), torch.zeros(objects).long())
    flat = flatten(predictions(grid, [target], 1, seed), [target])
    index = torch.arange(points).expand(objects, -1)
    valid = torch.ones_like(index, dtype=torch.bool)
    candidates = Candidates(
        index, valid, torch.zeros(objects, dtype=torch.bool), torch.arange(points), index, points
    )
    cost = 3 * torch.rand((objects, points), generator=rng)
    background = 3 * torch.rand(points, generator=rng)
    supply = torch.randint(1, 4, (objects,), generator=rng).float()
    pair = PairCost(cost, background.expand(objects, -1))
    iou = torch.rand((objects, points), generator=rng)
    problem = MatchProblem(flat, candidates, pair, iou, supply, supply)
    return problem, (cost - background).double().numpy()


def reduced_cost(problem: MatchProblem, winner: torch.Tensor) -> float:
    reduced = (problem.cost.object - problem.cost.background).double().flatten()
    return float(reduced[winner[winner >= 0]].sum())


@pytest.mark.parametrize("seed", range(8))
def test_exact_is_the_best_of_all_ways(seed: int) -> None:
    problem, reduced = tiny_problem(seed)
    best = slow.best_assignment(reduced, np.zeros(7), problem.supply.int().tolist())
    solution = Exact()(problem)
    assert reduced_cost(problem, solution.winner) == pytest.approx(best, abs=1e-5)
    assert torch.equal(solution.received, problem.supply)


@pytest.mark.parametrize("seed", range(8))
def test_newton_reaches_the_optimum_as_eps_falls(seed: int) -> None:
    problem, _ = tiny_problem(seed)
    best = Exact()(problem)
    least = reduced_cost(problem, best.winner)
    reduced = (problem.cost.object - problem.cost.background).double()
    for eps in (0.1, 0.01, 0.002):
        solution = Newton(eps=eps)(problem)
        assert bool(solution.converged.all())
        assert solution.plan is not None
        # The entropy of seven points among three suppliers is all that smoothing can cost.
        assert -1e-3 <= float((solution.plan * reduced).sum()) - least <= eps * 7 * np.log(3)
    assert torch.equal(solution.winner, best.winner)


@pytest.mark.parametrize("seed", range(4))
def test_newton_and_patient_sinkhorn_agree(seed: int) -> None:
    preds, targets = scene((5, 0, 3), seed=seed)
    newton = OTA(match=Newton()).explain(preds, targets)
    patient = OTA(match=Sinkhorn(iterations=50_000, tolerance=1e-4)).explain(preds, targets)
    assert bool(newton.converged.all())
    assert bool(patient.converged.all())
    for a, b in zip(newton.plan, patient.plan):
        torch.testing.assert_close(a.share, b.share, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("objects", "classes"), [(20, 1), (40, 1), (60, 20), (80, 1)])
@pytest.mark.parametrize("seed", range(2))
def test_newton_in_crowds(objects: int, classes: int, seed: int) -> None:
    """Received equals supply, whole points too, at a cost within 1 % of the optimum."""
    preds, targets = crowd(objects, classes, seed)
    assigner = OTA(match=Newton())
    report = assigner.explain(preds, targets, gap=True)
    assert bool(report.converged.all())
    assert float((report.received[0] - report.supply[0]).abs().max()) <= 1e-3
    problem = assigner.run(preds, targets).problem
    assert problem is not None
    possible = Exact()(problem).received
    torch.testing.assert_close(report.supply[0].sum(), possible.sum(), atol=0.01, rtol=0)
    if torch.equal(possible, report.requested[0]):
        assert torch.equal(report.positives[0], possible)
    assert report.gap is not None
    total = float(report.cost[0].sum())
    background = slow_background(preds, report.assignment.gt_index)
    assert float(report.gap[0]) + 1e-3 >= 0
    assert float(report.gap[0]) <= 0.01 * (total + background)


def slow_background(preds, gt_index) -> float:
    from otadet.losses import focal_background

    return float(focal_background(preds.cls_logits)[gt_index < 0].sum())


def test_fifty_iterations_do_not_converge_in_a_crowd_and_say_so() -> None:
    preds, targets = crowd(80, 1, 0)
    report = OTA().explain(preds, targets)
    assert not bool(report.converged[0])
    assert float(report.marginal_error[0]) > 0.1


def test_what_no_point_can_take_is_reported() -> None:
    """Three identical small objects share two points: six wanted, two there."""
    box = torch.tensor([[1.0, 1.0, 15.0, 7.0]] * 3)
    target = Target(box, torch.zeros(3).long())
    preds = predictions(grid_points([GridLevel(4, 4, 8)]), [target], 1, 0)
    for match in (Newton(), Exact()):
        report = OTA(match=match, supply=FixedK(2)).explain(preds, [target])
        assert report.requested[0].sum() == 6
        assert float(report.supply[0].sum()) == pytest.approx(2, abs=1e-3)
        assert float(report.received[0].sum()) == pytest.approx(2, abs=1e-3)
        assert bool(report.converged[0])
        assert report.positives[0].sum() == 2


def test_more_supply_than_points_is_scaled() -> None:
    preds, (target,) = scene((6,), seed=2)
    total = len(preds.points)
    assigner = OTA(prior=ClosestPerLevel(20), supply=FixedK(total))
    for match in (Sinkhorn(), Newton(), Exact(), TopK()):
        report = replace(assigner, match=match).explain(preds, [target])
        assert report.requested[0].tolist() == [total] * 6
        if isinstance(match, TopK):  # it hands out point by point, whatever the others ask for
            assert report.supply[0].tolist() == report.requested[0].tolist()
        else:
            assert float(report.supply[0].sum()) <= total * 1.001
        assert bool(torch.isfinite(report.received[0]).all())
        assert int(report.positives[0].min()) >= 1


def test_topk_by_hand() -> None:
    """Both take point 1; it goes to the cheaper, and the loser gets nothing instead."""
    problem, _ = tiny_problem(0, objects=2, points=3)
    cost = torch.tensor([[3.0, 1.0, 2.0], [9.0, 0.5, 8.0]])
    problem = replace(
        problem, cost=PairCost(cost, torch.zeros(2, 3)), supply=torch.tensor([1.0, 1.0])
    )
    solution = TopK()(problem)
    assert solution.winner.tolist() == [-1, 3 + 1, -1]
    assert solution.received.tolist() == [0, 1]
    assert solution.ambiguous.tolist() == [1]
    two = TopK()(replace(problem, supply=torch.tensor([2.0, 1.0])))
    assert two.winner.tolist() == [-1, 4, 2]


def test_hungarian_is_one_to_one() -> None:
    preds, targets = scene((6, 2), seed=3)
    report = OTA(match=Hungarian()).explain(preds, targets)
    assert [p.tolist() for p in report.positives] == [[1] * 6, [1] * 2]


@pytest.mark.parametrize("rule", ["min_area", "max_iou", "min_loss"])
def test_settled_points_have_one_suitor(rule) -> None:
    preds, targets = scene((6,), seed=4)
    plain = OTA(match=Newton()).explain(preds, targets)
    report = OTA(match=ResolveAmbiguous(rule, then=Newton())).explain(preds, targets)
    point = report.plan[0].point
    shared = plain.plan[0].point
    assert len(shared.unique()) < len(shared)
    assert len(point.unique()) == len(point)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ValueError, match="max_area"):
        ResolveAmbiguous("max_area")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="min_positives"):
        SimOTA(min_positives=2)


def test_float32_and_an_object_without_a_point() -> None:
    """Its row has no mass, which must not become 0 / 0 and then the whole image's NaN."""
    problem, _ = tiny_problem(3, objects=3)
    valid = problem.candidates.valid.clone()
    valid[1] = False
    problem = replace(problem, candidates=replace(problem.candidates, valid=valid))
    wide = transport_problem(problem, 0.1)
    narrow = replace(wide, ratio=wide.ratio.float(), supply=wide.supply.float(),
                     usable=wide.usable.float())  # fmt: skip
    plans = [pairs.plan(sinkhorn_potentials(pairs, 50)[0]) for pairs in (wide, narrow)]
    torch.testing.assert_close(plans[1].share.double(), plans[0].share, atol=1e-4, rtol=1e-3)
    assert torch.equal(by_row_maximum(narrow, plans[1]), by_row_maximum(wide, plans[0]))
    assert torch.isfinite(ambiguous_points(narrow, plans[1], plans[1].received)[1]).all()


def sparse_candidates(seed: int, objects: int, points: int, slots: int, size: int) -> Candidates:
    """Random pairs among the first ``points`` of ``size``."""
    rng = torch.Generator().manual_seed(seed)
    index = torch.rand((objects, points), generator=rng).argsort(dim=1)[:, :slots]
    valid = torch.rand(index.shape, generator=rng) < 0.7
    index = torch.where(valid, index, 0)
    bare = ~valid.any(dim=1)
    return Candidates(index, valid, bare, None, index, size)


@pytest.mark.parametrize("seed", range(12))
def test_as_many_objects_as_possible_have_a_point(seed: int) -> None:
    """As many as a maximum matching covers, from a start in which few have one."""
    objects, points = 60, 48 + 3 * seed
    found = sparse_candidates(seed, objects, points, 3, points)
    graph = np.zeros((objects, points), bool)
    row, slot = found.valid.nonzero(as_tuple=True)
    graph[row, found.local[row, slot]] = True
    most = (maximum_bipartite_matching(csr_array(graph), perm_type="column") >= 0).sum()
    start = torch.full((points,), -1)
    start[found.local[row, slot]] = row * found.slots + slot
    winner = ensure_min_positives(
        start, found, torch.rand((objects, 3), generator=torch.Generator())
    )
    held = winner[winner >= 0]
    assert found.valid.flatten()[held].all()
    assert torch.equal(found.local.flatten()[held], (winner >= 0).nonzero()[:, 0])
    assert len(held.div(found.slots, rounding_mode="floor").unique()) == most


def python_steps(call: Callable[[], object]) -> int:
    """Lines of Python that a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()  # what other tests left would run its finalizers in between
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def test_helping_objects_to_a_point_looks_at_their_own_pairs_alone() -> None:
    """The work on the host grows with the objects, not with the points or their product."""

    def steps(objects: int, size: int) -> int:
        found = sparse_candidates(0, objects, objects // 2, 3, size)
        wish = torch.rand((objects, 3), generator=torch.Generator().manual_seed(1))
        return python_steps(lambda: ensure_min_positives(torch.full((size,), -1), found, wish))

    assert steps(80, 50_000) == steps(80, 100)
    assert steps(640, 1000) < 16 * steps(80, 1000)
