"""What every assigner promises, on random scenes and on the awkward ones."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otadet.assign import (
    ATSS,
    OTA,
    Assigner,
    AssignmentReport,
    Exact,
    FixedK,
    Hungarian,
    Newton,
    SimOTA,
    Sinkhorn,
    TopK,
)
from otadet.errors import NonFiniteError
from otadet.points import grid_points
from otadet.types import BACKGROUND, IGNORED, GridLevel, Predictions, Target
from tests.assign.scenes import (
    AS_PUBLISHED,
    ASSIGNERS,
    SMALL,
    crowd,
    predictions,
    random_boxes,
    scene,
)
from tests.pretend_cuda import CUDA, pretended
from tests.reference import pairwise_ioa

ALL = {**ASSIGNERS, **AS_PUBLISHED}
every = pytest.mark.parametrize("name", ALL)
quick = settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


class Case(NamedTuple):
    """What a random scene is made of: for each image (objects, kind, ignore regions)."""

    images: list[tuple[int, str, int]]
    classes: int
    confidence: float
    seed: int


CASES = st.builds(
    Case,
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.sampled_from(["usual", "tiny", "outside", "doubled"]),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([1, 3]),
    st.sampled_from([1.0, 6.0]),
    st.integers(0, 10_000),
)


def build(case: Case) -> tuple[Predictions, list[Target]]:
    rng = torch.Generator().manual_seed(case.seed)
    targets = []
    for count, kind, regions in case.images:
        boxes = random_boxes(rng, count)
        if kind == "tiny" and count:
            center = (boxes[:, :2] + boxes[:, 2:]) / 2
            boxes = torch.cat([center - 1.5, center + 1.5], dim=1)
        elif kind == "outside" and count:
            boxes = boxes + torch.tensor([100.0, 0, 100, 0])
        elif kind == "doubled" and count:
            boxes = boxes[:1].expand(count, 4).clone()
        labels = torch.randint(case.classes, (count,), generator=rng)
        targets.append(Target(boxes, labels, random_boxes(rng, regions)))
    preds = predictions(grid_points(SMALL), targets, case.classes, case.seed)
    return replace(preds, cls_logits=preds.cls_logits * case.confidence), targets


@every
@quick
@given(case=CASES)
def test_what_is_promised(name: str, case: Case) -> None:
    preds, targets = build(case)
    report = ALL[name].explain(preds, targets)
    index, iou = report.assignment.gt_index, report.assignment.iou
    assert index.dtype == torch.int64
    assert iou.dtype == torch.float32
    for image, target in enumerate(targets):
        mine = index[image]
        assert int(mine.min()) >= IGNORED
        assert int(mine.max()) < max(1, len(target))
        positive = mine >= 0
        assert not bool(iou[image][~positive].any())
        if len(target.ignore_boxes):
            inside = pairwise_ioa(preds.boxes[image], target.ignore_boxes).amax(dim=1)
            assert bool((mine[inside > 0.5 + 1e-5] == IGNORED).all())
            if name not in ("max iou", "fsaf"):  # they leave points out themselves
                assert bool((mine[inside < 0.5 - 1e-5] != IGNORED).all())
        counts = torch.bincount(mine[positive], minlength=len(target))
        assert torch.equal(report.positives[image].long(), counts)
        if name in ASSIGNERS:
            _everyone_who_can_has_a_point(report, image)
        if name in ("ota exact", "ota newton", "ota hungarian"):
            limit = 1 if name == "ota hungarian" else report.requested[image].clamp(min=1)
            assert bool((counts <= limit).all())
    for name_of, value in report.assignment.stats.items():
        assert value.ndim == 0, name_of
        assert bool(torch.isfinite(value)), name_of


def _everyone_who_can_has_a_point(report: AssignmentReport, image: int) -> None:
    """As many objects have a point as can have one at the same time (Kuhn's algorithm)."""
    reach = report.reachable[image]
    holder: dict[int, int] = {}

    def place(thing: int, seen: set[int]) -> bool:
        for point in reach[thing].tolist():
            if point not in seen:
                seen.add(point)
                if point not in holder or place(holder[point], seen):
                    holder[point] = thing
                    return True
        return False

    possible = sum(place(thing, set()) for thing in range(len(reach)))
    assert int((report.positives[image] > 0).sum()) == possible


def test_identical_objects_share_and_tiny_ones_compete() -> None:
    """Six copies of a box each get a point; three objects with one candidate share one."""
    box = torch.tensor([[10.0, 10, 50, 50]])
    target = Target(box.expand(6, 4).clone(), torch.zeros(6, dtype=torch.int64))
    preds = predictions(grid_points(SMALL), [target], 1, 0)
    for name, assigner in ASSIGNERS.items():
        if name in ("fcos", "atss", "max iou", "paa", "tal", "ota paper prior", "foveabox"):
            continue
        assert int(assigner.explain(preds, [target]).positives[0].min()) >= 1, name
    tiny = Target(torch.tensor([[11.0, 11, 13, 13]]).expand(3, 4).clone(), torch.zeros(3).long())
    preds = predictions(grid_points(SMALL), [tiny], 1, 0)
    for assigner in (OTA(), OTA(match=Newton()), OTA(match=Exact())):
        report = assigner.explain(preds, [tiny])
        assert report.positives[0].sum() == 1
        assert report.uncovered.tolist() == [0]


@pytest.mark.parametrize("name", ASSIGNERS)
def test_order_of_objects_and_images_means_nothing(name: str) -> None:
    assigner = ASSIGNERS[name]
    preds, targets = scene((6, 0, 4), seed=11)
    plain = assigner(preds, targets)
    order = [2, 0, 1]
    moved = replace(
        preds, boxes=preds.boxes[order], cls_logits=preds.cls_logits[order],
        quality_logits=None if preds.quality_logits is None else preds.quality_logits[order],
    )  # fmt: skip
    shuffled = []
    shuffles = []
    for image in order:
        shuffle = torch.randperm(len(targets[image]), generator=torch.Generator().manual_seed(1))
        shuffles.append(shuffle)
        shuffled.append(Target(targets[image].boxes[shuffle], targets[image].labels[shuffle]))
    other = assigner(moved, shuffled)
    for new, old in enumerate(order):
        back = torch.cat([shuffles[new], torch.tensor([IGNORED, BACKGROUND])])
        assert torch.equal(back[other.gt_index[new]], plain.gt_index[old])


def test_order_means_nothing_where_rows_peak_at_the_same_point() -> None:
    rng = torch.Generator().manual_seed(3)
    boxes = random_boxes(rng, 6)
    boxes = torch.cat([boxes, boxes + 2 * torch.rand((6, 4), generator=rng)])
    target = Target(boxes, torch.zeros(12, dtype=torch.int64))
    preds = predictions(grid_points(SMALL), [target], 1, 3)
    back = torch.arange(12).flip(0)
    other = Target(boxes.flip(0), target.labels)
    plain = OTA().explain(preds, [target])
    plan = plain.plan[0]
    peaks = set()
    for i in range(12):
        mine = plan.object == i
        peaks.add(int(plan.point[mine][plan.share[mine].argmax()]))
    assert len(peaks) < 12
    index = OTA()(preds, [other]).gt_index
    index = torch.where(index >= 0, back[index.clamp(min=0)], index)
    assert torch.equal(index, plain.assignment.gt_index)


@every
def test_each_image_alone_gives_the_same(name: str) -> None:
    preds, targets = scene((5, 0, 3), seed=12)
    together = ALL[name](preds, targets)
    for image in range(3):
        one = slice(image, image + 1)
        alone = replace(
            preds, boxes=preds.boxes[one], cls_logits=preds.cls_logits[one],
            quality_logits=None if preds.quality_logits is None else preds.quality_logits[one],
        )  # fmt: skip
        got = ALL[name](alone, targets[one])
        assert torch.equal(got.gt_index[0], together.gt_index[image])


@every
def test_contested_points_are_those_that_are_counted(name: str) -> None:
    preds, targets = scene((7, 0, 4), seed=21)
    output = ALL[name].run(preds, targets)
    assert output.problem is not None and output.result is not None
    candidates, result = output.problem.candidates, output.result
    image = candidates.point_image(output.batch)[result.contested]
    counted = torch.bincount(image, minlength=3).float()
    if result.claimed is not None:
        point = candidates.local[result.claimed]
        assert torch.equal(result.contested, torch.bincount(point, minlength=candidates.size) > 1)
    if result.plan is None:
        assert torch.equal(counted, result.ambiguous)
    else:  # where the plan has not converged, points that are nobody's candidate count too
        used = torch.bincount(candidates.point_image(output.batch)[candidates.used()], minlength=3)
        extra = result.ambiguous - counted
        assert bool(((extra == 0) | (extra == len(preds.points) - used)).all())
        assert counted[0] > 0 and counted[1] == 0


@every
def test_batch_without_objects(name: str) -> None:
    preds, targets = scene((0, 0), seed=13)
    report = ALL[name].explain(preds, targets)
    assert bool((report.assignment.gt_index == BACKGROUND).all())
    assert [s.numel() for s in report.supply] == [0, 0]
    assert report.converged.tolist() == [True, True]


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    preds, targets = scene((5, 2), seed=14)
    assert preds.quality_logits is not None
    half = replace(
        preds, boxes=preds.boxes.to(dtype), cls_logits=preds.cls_logits.to(dtype),
        quality_logits=preds.quality_logits.to(dtype),
    )  # fmt: skip
    assert half.quality_logits is not None
    same = replace(
        half, boxes=half.boxes.float(), cls_logits=half.cls_logits.float(),
        quality_logits=half.quality_logits.float(),
    )  # fmt: skip
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = ALL[name](half, targets)
    assert torch.equal(got.gt_index, ALL[name](same, targets).gt_index)
    assert got.iou.dtype == torch.float32


@every
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", ["boxes", "cls_logits", "quality_logits"])
def test_bad_numbers_name_the_image(name: str, bad: float, field: str) -> None:
    preds, targets = scene((2, 3), seed=15)
    value = getattr(preds, field).clone()
    value[1].view(-1)[5] = bad
    broken = replace(preds, **{field: value})
    with pytest.raises(ValueError, match=rf"image 1 .*{field} holds 1 of"):
        ALL[name](broken, targets)
    with pytest.raises(ValueError, match="image 1"):
        ALL[name](broken, [Target(torch.zeros(0, 4), torch.zeros(0).long())] * 2)


def test_large_but_finite_numbers_pass() -> None:
    preds, targets = scene((3,), seed=16)
    huge = replace(preds, cls_logits=preds.cls_logits.sign() * 3e37)
    with pytest.raises(ValueError, match="targets"):
        OTA()(huge, [*targets, *targets])
    wild = replace(preds, cls_logits=preds.cls_logits * 300)
    for name, assigner in ALL.items():
        report = assigner.explain(wild, targets)
        assert bool(torch.isfinite(report.received[0]).all()), name


@every
def test_inputs_stay_as_they_are_and_no_gradient(name: str) -> None:
    preds, targets = scene((4, 1), seed=17)
    preds.cls_logits.requires_grad_()
    before = preds.boxes.clone(), preds.cls_logits.detach().clone(), targets[0].boxes.clone()
    got = ALL[name](preds, targets)
    assert not got.iou.requires_grad
    weight = torch.ones_like(got.iou, requires_grad=True)
    (weight * got.iou).sum().backward()  # a loss may save it
    assert weight.grad is not None
    assert torch.equal(preds.boxes, before[0])
    assert torch.equal(preds.cls_logits.detach(), before[1])
    assert torch.equal(targets[0].boxes, before[2])


def test_simota_as_published_leaves_objects_bare_and_can_be_repaired() -> None:
    preds, targets = crowd(80, 1, 0)
    published = SimOTA().explain(preds, targets)
    assert int((published.positives[0] == 0).sum()) > 0
    repaired = SimOTA(min_positives=1).explain(preds, targets)
    assert int(repaired.positives[0].min()) >= 1


def test_ignored_objects_points_are_nobodys() -> None:
    """An ignore region over everything leaves nothing to learn, objects or not."""
    preds, (target,) = scene((4,), seed=18)
    whole = torch.tensor([[-500.0, -500, 500, 500]])
    for name, assigner in ALL.items():
        report = assigner.explain(preds, [Target(target.boxes, target.labels, whole)])
        assert bool((report.assignment.gt_index == IGNORED).all()), name
        assert report.received[0].tolist() == [0.0] * 4, name


def test_fewer_points_than_q_and_one_point() -> None:
    target = Target(torch.tensor([[0.0, 0, 8, 8]]), torch.zeros(1).long())
    preds = predictions(grid_points([GridLevel(1, 1, 8)]), [target], 1, 0)
    for name, assigner in ALL.items():
        if name not in ("fcos", "fcos without centre", "atss"):
            assert assigner(preds, [target]).gt_index.shape == (1, 1), name


@pytest.mark.parametrize("match", [Exact(), Newton(), TopK(), Hungarian()])
def test_supply_is_a_limit(match) -> None:
    preds, targets = crowd(40, 3, 5)
    assigner = OTA(match=match, supply=FixedK(5), min_positives=0)
    report = assigner.explain(preds, targets)
    limit = 1 if isinstance(match, Hungarian) else 5
    assert int(report.positives[0].max()) <= limit


def test_wrong_number_of_targets_is_named() -> None:
    preds, targets = scene((2, 3), seed=19)
    with pytest.raises(ValueError, match="2 images, 1 targets"):
        OTA()(preds, targets[:1])


def test_entropy_and_plan_are_consistent() -> None:
    preds, targets = scene((5, 0, 2), seed=20)
    report = OTA(match=Newton()).explain(preds, targets)
    for image, plan in enumerate(report.plan):
        total = torch.zeros(len(targets[image])).index_add_(0, plan.object, plan.share)
        torch.testing.assert_close(total, report.received[image], rtol=1e-4, atol=1e-4)
        rest = torch.ones(len(preds.points)).index_add_(0, plan.point, -plan.share).clamp(min=0)
        entropy = -torch.xlogy(plan.share, plan.share).sum() - torch.xlogy(rest, rest).sum()
        torch.testing.assert_close(entropy, report.entropy[image], rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every
def test_cpu_and_gpu_agree(name: str) -> None:
    preds, targets = scene((6, 0, 4), seed=21)
    assert preds.quality_logits is not None
    there = Predictions(
        preds.boxes.cuda(), preds.cls_logits.cuda(), preds.quality_logits.cuda(),
        preds.deltas.cuda(), preds.points.to("cuda"),
    )  # fmt: skip
    got = ALL[name](there, [t.to("cuda") for t in targets])
    assert torch.equal(got.gt_index.cpu(), ALL[name](preds, targets).gt_index)


@every
def test_the_way_of_accelerators_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without narrowed tables, as where waiting for the device costs; here on the CPU."""
    preds, targets = scene((6, 0, 4), seed=22)
    plain = ALL[name].explain(preds, targets)
    for module in ("flat_batch", "base"):
        monkeypatch.setattr(f"otadet.assign.{module}.sync_is_free", lambda device: False)
    other = ALL[name].explain(preds, targets)
    assert torch.equal(other.assignment.gt_index, plain.assignment.gt_index)
    assert torch.equal(other.ambiguous, plain.ambiguous)
    torch.testing.assert_close(other.entropy, plain.entropy, atol=1e-3, rtol=1e-4)
    for a, b in zip(other.received, plain.received):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-4)


@every
def test_a_device_without_float64(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As MPS: the same assignment and report, and no float64 on the device."""
    preds, targets = scene((6, 0, 4), seed=24)
    plain = ALL[name].explain(preds, targets)
    assert preds.quality_logits is not None
    monkeypatch.setattr("otadet.assign.base.has_float64", lambda device: device.type == "cpu")
    with pretended(float64=False):
        with pytest.raises(TypeError, match="no float64"):
            torch.ones(2).to(CUDA).double()
        there = Predictions(
            preds.boxes.to(CUDA), preds.cls_logits.to(CUDA), preds.quality_logits.to(CUDA),
            preds.deltas.to(CUDA), preds.points.to(CUDA),
        )  # fmt: skip
        moved = [t.to(CUDA) for t in targets]
        got = ALL[name](there, moved)
        report = ALL[name].explain(there, moved)
        assert got.gt_index.device == got.iou.device == report.assignment.iou.device == CUDA
        assert torch.equal(got.gt_index.cpu(), plain.assignment.gt_index)
        assert torch.equal(report.assignment.gt_index.cpu(), plain.assignment.gt_index)
        assert torch.equal(report.marginal_error, plain.marginal_error)


@every
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_accelerators_come_through_numbers_that_are_not_finite(
    name: str, bad: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the look comes after the work: which has to end, and may not index beyond a table, of
    which a GPU's process does not recover."""
    for module in ("flat_batch", "base"):
        monkeypatch.setattr(f"otadet.assign.{module}.sync_is_free", lambda device: False)
    preds, targets = scene((6, 0, 4), seed=23)
    for spoiled in ("boxes", "cls_logits", "quality_logits"):
        value = getattr(preds, spoiled)
        hit = torch.rand(value.shape, generator=torch.Generator().manual_seed(0)) < share
        with pytest.raises(NonFiniteError, match=spoiled):
            ALL[name](replace(preds, **{spoiled: torch.where(hit, bad, value)}), targets)


def test_assigners_are_values() -> None:
    assert OTA() == OTA(match=Sinkhorn(0.1, 50))
    assert OTA() != OTA(match=Newton())
    assert hash(ATSS()) == hash(ATSS(r=3))
    with pytest.raises(TypeError):
        Assigner()  # type: ignore[abstract]
