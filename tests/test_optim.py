"""Parameter groups and schedules by hand."""

import pytest
import torch
from torch import nn

from otadet.exp import Exp
from otadet.optim import Schedule, build_optimizer, param_groups


def test_every_parameter_is_in_exactly_one_group() -> None:
    model = Exp(backbone="resnet10", head_convs=1, frozen_stages=1).build_model(2)
    groups = param_groups(model, 0.1)
    ids = [id(p) for g in groups for p in g["params"]]
    learning = {id(p) for p in model.parameters() if p.requires_grad}
    assert len(ids) == len(set(ids)) and set(ids) == learning
    assert groups[0]["weight_decay"] == 0.1 and groups[1]["weight_decay"] == 0.0
    assert all(p.ndim == 4 for p in groups[0]["params"])
    assert all(p.ndim == 1 for p in groups[1]["params"])


def test_multistep_by_hand() -> None:
    schedule = Schedule(1.0, total=90, warmup=10, warmup_factor=0.1, milestones=(60, 80))
    assert schedule(0) == pytest.approx(0.1)
    assert schedule(5) == pytest.approx(0.55)
    assert [schedule(s) for s in (10, 59, 60, 80)] == pytest.approx([1, 1, 0.1, 0.01])


def test_cosine_by_hand() -> None:
    schedule = Schedule(2.0, total=100, kind="cosine", final_factor=0.1)
    assert [schedule(s) for s in (0, 50, 100, 1000)] == pytest.approx([2.0, 1.1, 0.2, 0.2])


def test_a_cosine_that_is_flat_first() -> None:
    schedule = Schedule(2.0, total=100, warmup=10, kind="cosine", final_factor=0.1, flat=50)
    assert [schedule(s) for s in (10, 50, 75, 100)] == pytest.approx([2.0, 2.0, 1.1, 0.2])
    exp = Exp(schedule="cosine", flat=0.5, warmup_iters=10)
    assert exp.build_schedule(100, 16).falls == 50
    assert [Schedule(1.0, 90, milestones=(60, 80)).falls, Schedule(1.0, 90).falls] == [60, 90]


def test_the_papers_schedule() -> None:
    from otadet.exp import load_exp

    exp = load_exp(name="ota_r50")
    schedule = exp.build_schedule(90_000, batch_size=16)
    assert schedule(30_000) == pytest.approx(0.01)
    assert schedule(59_999) == pytest.approx(0.01) and schedule(60_000) == pytest.approx(1e-3)
    assert schedule(79_999) == pytest.approx(1e-3) and schedule(80_000) == pytest.approx(1e-4)
    assert exp.build_schedule(90_000, batch_size=8)(30_000) == pytest.approx(0.005)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_optimizers_go_downhill(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = build_optimizer(param_groups(model, 0.0), name, 0.05, 0.9)  # type: ignore[arg-type]
    x, losses = torch.randn(16, 3), []
    for _ in range(50):
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_first_step_that_is_left_out_leaves_no_momentum(name: str) -> None:
    """As the first steps of fp16 often are, until the loss scaler has found its scale."""
    weights = [nn.Parameter(torch.ones(1000)) for _ in range(2)]
    optimizers = [build_optimizer([{"params": [w]}], name, 0.1, 0.9) for w in weights]  # type: ignore[arg-type]
    for first, weight, optimizer in zip((torch.nan, None), weights, optimizers):
        scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        for factor in [first, 1.0, 2.0] if first is not None else [1.0, 2.0]:
            optimizer.zero_grad()
            scaler.scale((weight * factor).sum()).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update(1.0)
    assert torch.equal(*weights) and weights[0].isfinite().all()
