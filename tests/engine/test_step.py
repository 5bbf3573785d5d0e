"""One step: in parts, and with numbers that are not finite."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from otadet.assign import SimOTA
from otadet.criteria import Criterion, FCOSCriterion, YOLOXCriterion
from otadet.engine.ema import Ema
from otadet.engine.nonfinite import NonFiniteGuard
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.engine.step import Step, StepResult
from otadet.exp import Exp
from otadet.geometry import Geometry
from otadet.optim import Schedule
from otadet.types import Batch, LossReport, Predictions, Target
from tests.helpers import target

FP32 = Precision("fp32", "cpu")


def batch(count: int, empty: Sequence[int] = ()) -> Batch:
    """Noise with a few boxes, another number in each image."""
    rng = torch.Generator().manual_seed(0)
    none = target()
    targets = [
        none
        if i in empty
        else target(*[(8 + 4 * j, 6, 40 + 3 * j, 50, j % 2) for j in range(i % 3 + 1)])
        for i in range(count)
    ]
    return Batch(
        torch.randint(0, 256, (count, 3, 64, 64), generator=rng, dtype=torch.uint8),
        tuple(targets),
        (Geometry.identity((64, 64)),) * count,
        tuple(range(count)),
    )


def state(ema: bool = False, frozen: bool = True) -> TrainState:
    torch.manual_seed(0)
    exp = Exp(backbone="resnet10", head_convs=1, head_width=32, fpn_channels=32, frozen_norm=frozen)
    model = exp.build_model(2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    return TrainState(model, optimizer, FP32.scaler(), Ema(model, 0.9, 2.0) if ema else None)


def step(s: TrainState, **changes: object) -> Step:
    made = Step(s.model, Schedule(0.01, 10), FP32, torch.channels_last)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("empty", [(), (0, 1, 4, 5)])
def test_parts_equal_the_whole(clip: float, empty: tuple[int, ...]) -> None:
    """4 x 2 images change the weights as 8 do, with BatchNorm frozen; parts may hold nothing."""
    states = [state(), state()]
    criterion = FCOSCriterion(SimOTA())
    reports = [
        step(s, clip_grad=clip, parts=parts)(s, criterion, batch(8, empty)).report
        for s, parts in zip(states, (1, 4))
    ]
    whole, parts = (dict(s.model.named_parameters()) for s in states)
    for name in whole:
        assert torch.allclose(whole[name], parts[name], rtol=1e-4, atol=1e-6), name
    assert reports[0] is not None and reports[1] is not None
    assert reports[1].positives == reports[0].positives > 0
    for term, value in reports[0].terms.items():
        assert reports[1].terms[term].item() == pytest.approx(value.item(), rel=1e-4)


def test_the_parts_gradient_is_not_the_mean_of_means() -> None:
    """The comparison above has something to see: parts differ in their number of positives."""
    s = state()
    criterion = FCOSCriterion(SimOTA())
    positives = []
    for piece in batch(8).split(4):
        predictions: Predictions = s.model(piece.images)
        positives.append(criterion(predictions, piece.targets).positives.item())
    assert len(set(positives)) > 1


class Poisoned:
    """A criterion whose loss is finite and whose gradient, or whose loss, is not."""

    def __init__(self, loss: bool) -> None:
        self.loss = loss
        self.inner = FCOSCriterion(SimOTA())

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        report = self.inner(preds, targets)
        worse = (preds.boxes.sum() * 0).sqrt()  # 0, with an infinite slope
        return replace(report, total=report.total + (worse / 0 if self.loss else worse))


def guard(
    folder: Path, s: TrainState, precision: Precision = FP32, allowed: int = 9
) -> NonFiniteGuard:
    return NonFiniteGuard(folder, s, ("a", "b"), precision, allowed, total=10)


def bundle_of(folder: Path, step: int) -> dict[str, Any]:
    path = folder / f"faults/step_{step:07d}_rank_0.pth"
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


@pytest.mark.parametrize("loss", [True, False])
def test_a_non_finite_step_is_not_applied(tmp_path: Path, loss: bool) -> None:
    s, exp = state(ema=True), Exp(backbone="resnet10")
    before = {k: v.clone() for k, v in s.model.state_dict().items()}
    checks = guard(tmp_path, s)
    result = step(s)(s, Poisoned(loss), batch(2))
    checks.check(batch(2), result, exp)
    assert bundle_of(tmp_path, 1)["what"] == ("loss" if loss else "gradient")
    assert not result.applied and s.faults_in_a_row == 1
    assert all(torch.equal(before[k], v) for k, v in s.model.state_dict().items())
    # And the next one is.
    checks.check(batch(2), step(s)(s, FCOSCriterion(SimOTA()), batch(2)), exp)
    assert s.faults_in_a_row == 0 and len(list((tmp_path / "faults").iterdir())) == 1
    assert any(not torch.equal(before[k], v) for k, v in s.model.state_dict().items())


def test_without_a_scaler_it_is_not_taken_either() -> None:
    s = replace(state(), scaler=torch.amp.GradScaler("cpu", enabled=False))
    before = {k: v.clone() for k, v in s.model.state_dict().items()}
    assert not step(s)(s, Poisoned(False), batch(2)).applied
    assert all(torch.equal(before[k], v) for k, v in s.model.state_dict().items())
    assert step(s)(s, FCOSCriterion(SimOTA()), batch(2)).applied
    assert any(not torch.equal(before[k], v) for k, v in s.model.state_dict().items())


def test_a_gradient_too_large_for_its_norm_is_not_taken() -> None:
    s = state()
    weight = next(s.model.parameters())
    before = weight.detach().clone()

    class Steep(FCOSCriterion):
        def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
            report = super().__call__(preds, targets)
            return replace(report, total=report.total * 1e30)

    taken = step(s)(s, Steep(SimOTA()), batch(2))
    assert not taken.applied and torch.equal(before, weight)


@pytest.mark.parametrize("steps", [0, 1])
def test_predictions_that_are_not_finite_leave_nothing_behind(steps: int) -> None:
    """Neither in the middle of a run nor at its first step, or the first after a resume."""
    s = state(ema=True, frozen=False)
    take = step(s, keep_buffers=True)
    criterion = FCOSCriterion(SimOTA())
    for _ in range(steps):
        take(s, criterion, batch(2))
    assert s.ema is not None
    before = {k: v.clone() for k, v in s.model.state_dict().items()}
    average = {k: v.clone() for k, v in s.ema.module.state_dict().items()}
    good = batch(2)
    bad = replace(good, images=good.images.float() * torch.inf)
    taken = take(s, criterion, bad)
    assert taken.report is None and not taken.applied and s.step == steps + 1
    assert all(torch.equal(before[k], v) for k, v in s.model.state_dict().items())
    assert all(torch.equal(average[k], v) for k, v in s.ema.module.state_dict().items())


def test_faults_are_counted_kept_and_end_the_run(tmp_path: Path) -> None:
    s, exp = state(), Exp(backbone="resnet10", accumulate=2)
    checks = guard(tmp_path, s, allowed=1)
    s.step = 3
    checks.check(batch(2), StepResult(None, torch.tensor(False), torch.zeros(())), exp)
    s.step = 4
    with pytest.raises(FloatingPointError, match=r"step 4: the predictions are .*step_0000004"):
        skipped = StepResult(None, torch.tensor(False), torch.zeros(()), local_finite=False)
        checks.check(batch(2), skipped, exp)
    content = bundle_of(tmp_path, 4)
    assert torch.equal(content["images"], batch(2).images) and content["settings"]["seed"] == 0
    assert content["parts"] == 2 and content["progress"] == 0.3
    s.step = 5  # the bundle is the process's whose predictions are not finite
    with pytest.raises(FloatingPointError, match=r"step 5.*another process"):
        checks.check(batch(2), StepResult(None, torch.tensor(False), torch.zeros(())), exp)
    assert len(list((tmp_path / "faults").iterdir())) == 1


def test_yolox_reports_positives_too() -> None:
    exp = Exp()
    assert isinstance(YOLOXCriterion(exp.build_assigner()).box_weight, float)
    s = state()
    report = FCOSCriterion(SimOTA())(s.model(batch(2).images), batch(2).targets)
    assert report.positives.item() == report.stats["positives"].item() > 0


class Blind:
    """A criterion that looks at class logits alone."""

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        total = preds.cls_logits.square().mean()
        return LossReport(total, {"cls": total.detach()}, torch.tensor(1.0))


@pytest.mark.parametrize("criterion", [FCOSCriterion(SimOTA(), quality="none"), Blind()])
@pytest.mark.parametrize("empty", [(), (0, 1)])
def test_every_parameter_gets_a_gradient(criterion: Criterion, empty: tuple[int, ...]) -> None:
    """Or several processes would wait for those that a criterion leaves out."""
    s = state()
    assert s.model(batch(1).images).quality_logits is not None
    s.model.head.quality_out.weight.data.fill_(1e30)  # a sum that half precision could not hold
    assert step(s)(s, criterion, batch(2, empty)).applied
    without = [n for n, p in s.model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_each_group_keeps_its_own_rate() -> None:
    """In proportion to the rates that the groups were built with, at every step of the schedule."""
    s = state()
    named = list(s.model.named_parameters())
    backbone = [p for n, p in named if n.startswith("backbone")]
    rest = [p for n, p in named if not n.startswith("backbone")]
    groups = [{"params": backbone, "lr": 0.001}, {"params": rest}]
    optimizer = torch.optim.SGD(groups, lr=0.02, fused=True)
    s = TrainState(s.model, optimizer, FP32.scaler(), None, base_lr=0.01)
    take = step(s, schedule=Schedule(0.005, 10, warmup=2, milestones=(3,)))
    for at in range(4):
        take(s, FCOSCriterion(SimOTA()), batch(2))
        rate = take.schedule(at)
        assert s.lr == {"lr": 2 * rate, "lr_group_0": pytest.approx(0.1 * rate),
                        "lr_group_1": 2 * rate}  # fmt: skip
    assert rate == pytest.approx(0.0005)


def test_rates_without_groups_of_ones_own_are_the_schedules() -> None:
    s = state()
    step(s)(s, FCOSCriterion(SimOTA()), batch(2))
    assert s.lr == {"lr": 0.01}


def test_overflows_of_fp16_are_no_faults_until_the_scale_is_used_up(tmp_path: Path) -> None:
    s, exp = state(), Exp(backbone="resnet10")
    checks = guard(tmp_path, s, Precision("fp16", "cuda"), allowed=0)
    report = step(s)(s, FCOSCriterion(SimOTA()), batch(2)).report
    for overflow in (True, False, *[True] * 40):
        checks.check(batch(2), StepResult(report, torch.tensor(not overflow), torch.ones(())), exp)
    with pytest.raises(FloatingPointError, match="the gradient is not finite"):
        checks.check(batch(2), StepResult(report, torch.tensor(False), torch.ones(())), exp)


def test_grad_norm_is_that_before_clipping() -> None:
    s = state()
    taken: StepResult = step(s, clip_grad=1e-3)(s, FCOSCriterion(SimOTA()), batch(2))
    assert taken.applied and taken.grad_norm > 1e-3  # the norm is that before clipping
