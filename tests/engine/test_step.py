"""One step: in parts, and with numbers that are not finite."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from otadet.assign import SimOTA
from otadet.criteria import Criterion, FCOSCriterion, YOLOXCriterion
from otadet.engine.ema import Ema
from otadet.engine.nonfinite import NonFiniteHandler, NonFiniteMonitor
from otadet.engine.precision import Precision
from otadet.engine.replay_bundle import NonFiniteStep, write_bundle
from otadet.engine.state import TrainState
from otadet.engine.step import Step, StepResult
from otadet.exp import Exp
from otadet.geometry import Geometry
from otadet.optim import Schedule
from otadet.types import Batch, LossReport, Predictions, Target
from tests.helpers import target

FP32 = Precision("fp32", "cpu")


def batch(count: int, empty: Sequence[int] = ()) -> Batch:
    """Noise with a few boxes, another number in each picture."""
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
    """4 x 2 pictures change the weights as 8 do, with BatchNorm frozen; parts may hold nothing."""
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


@pytest.mark.parametrize("loss", [True, False])
def test_a_step_that_is_not_finite_is_not_taken(loss: bool) -> None:
    s = state(ema=True)
    before = {k: v.clone() for k, v in s.model.state_dict().items()}
    watch = NonFiniteMonitor(FP32)
    taken = step(s)(s, Poisoned(loss), batch(2))
    watch.put(s.step, batch(2), taken)
    fault = watch.fault()
    assert fault is not None and fault.what == ("loss" if loss else "gradient")
    assert fault.step == 1 and not taken.applied and watch.fault() is None
    assert all(torch.equal(before[k], v) for k, v in s.model.state_dict().items())
    # And the next one is.
    watch.put(2, batch(2), step(s)(s, FCOSCriterion(SimOTA()), batch(2)))
    assert watch.fault() is None
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
    folder = tmp_path
    s = state()
    faults = NonFiniteHandler(folder, allowed=1, precision=FP32, total=10)
    exp = Exp(backbone="resnet10")
    faults.met(NonFiniteStep(3, batch(2), "loss"), exp, ("a", "b"), s)
    with pytest.raises(FloatingPointError, match=r"step 4: the loss is not finite.*step_0000004"):
        faults.met(NonFiniteStep(4, batch(2), "loss"), exp, ("a", "b"), s)
    path = write_bundle(
        folder, NonFiniteStep(5, batch(2), "predictions"), exp, ("a", "b"), s, FP32, 0.5
    )
    content = torch.load(path, weights_only=True)
    assert torch.equal(content["images"], batch(2).images) and content["settings"]["seed"] == 0
    assert len(list((folder / "faults").iterdir())) == 3


def test_a_bundle_goes_through_the_network_in_the_parts_of_the_step(tmp_path: Path) -> None:
    """The whole batch may not fit; what it says is the same, with BatchNorm frozen."""
    s = state()
    seen: list[int] = []
    s.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    found = []
    for parts in (1, 4):
        exp = Exp(backbone="resnet10", accumulate=parts)
        path = write_bundle(
            tmp_path / str(parts), NonFiniteStep(1, batch(8), "loss"), exp, ("a", "b"), s, FP32, 0.0
        )
        found.append(torch.load(path, weights_only=True)["assignment"])
    assert seen == [8, 2, 2, 2, 2]
    whole, split = found
    assert whole["image_ids"] == split["image_ids"] == list(range(8))
    assert whole.keys() == split.keys()
    for a, b in zip(whole["supply"], split["supply"], strict=True):
        assert torch.allclose(a, b)
    assert torch.allclose(whole["uncovered"], split["uncovered"]) and len(split["iterations"]) == 8


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


def test_overflows_of_fp16_are_no_faults_until_the_scale_is_used_up() -> None:
    s = state()
    watch = NonFiniteMonitor(Precision("fp16", "cuda"))
    report = step(s)(s, FCOSCriterion(SimOTA()), batch(2)).report
    for overflow in (True, False, *[True] * 40, "fault"):
        assert not watch.pending
        watch.put(1, batch(2), StepResult(report, torch.tensor(not overflow), torch.tensor(1.0)))
        assert watch.pending
        fault = watch.fault()
        assert (fault is None) == (overflow != "fault")
    assert fault is not None and fault.what == "gradient"


def test_taken_says_what_it_is() -> None:
    s = state()
    taken: StepResult = step(s, clip_grad=1e-3)(s, FCOSCriterion(SimOTA()), batch(2))
    assert taken.applied and taken.grad_norm > 1e-3  # the norm is that before clipping
