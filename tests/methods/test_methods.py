"""``method=NAME``: every method trains the network that it asks for."""

from typing import get_args

import pytest
import torch

from otadet.assign import LLA, MaxIoU
from otadet.errors import InputError
from otadet.exp import Exp, load_exp
from otadet.exp.methods import METHODS, MethodName
from otadet_methods.fsaf import FSAF
from tests.helpers import target

TARGETS = [target((8, 8, 40, 48, 0), (20, 4, 60, 30, 1)), target((30, 30, 62, 60, 1))]


def test_every_name_has_a_method() -> None:
    assert get_args(MethodName) == tuple(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_a_training_step(name: MethodName) -> None:
    torch.manual_seed(0)
    exp = load_exp(name="quickstart", overrides={"method": name})
    model = exp.build_model(2).train()
    optimizer = exp.build_optimizer(model)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    report = exp.build_criterion()(model(torch.randint(0, 256, (2, 3, 64, 64))), TARGETS)
    report.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    optimizer.step()
    after = dict(model.named_parameters())
    assert not any(torch.equal(after[n], before[n]) for n in before if n.startswith("head.cls"))
    assert ("head.class_prior" in after) == (name == "autoassign")
    if name == "autoassign":
        assert not torch.equal(after["head.class_prior"], before["head.class_prior"])
        decayed = list(optimizer.param_groups[0]["params"])
        assert not any(p is after["head.class_prior"] for p in decayed)
    has_quality = any(n.startswith("head.quality_out") for n in after)
    assert has_quality == (name not in ("freeanchor", "mal", "detr"))


def test_a_fresh_class_prior_is_the_unit_normal() -> None:
    model = load_exp(name="quickstart", overrides={"method": "autoassign"}).build_model(3)
    prior = model(torch.zeros(1, 3, 64, 64)).class_prior
    assert prior.tolist() == [[[0.0, 0.0, 1.0, 1.0]] * 3]


def test_what_a_run_draws_is_the_methods_assigner() -> None:
    assert load_exp(name="quickstart", overrides={"method": "sapd"}).build_assigner() == FSAF()
    assert Exp().method is None


def test_anchors_are_compared_at_the_size_that_the_head_moves() -> None:
    exp = load_exp(name="quickstart", overrides={"method": "retinanet", "anchor_scale": 4.0})
    assert exp.build_assigner() == exp.build_criterion().assigner == MaxIoU(anchor_scale=4.0)


def test_an_experiment_with_an_assigner_of_its_own_is_named() -> None:
    with pytest.raises(InputError, match="expected none, since simota_fcos_r50 has a build_"):
        load_exp(name="simota_fcos_r50", overrides={"method": "lla"})


def test_a_network_of_its_own_takes_methods_that_want_no_other_head() -> None:
    class Mine(Exp):
        def build_model(self, num_classes):
            return super().build_model(num_classes)

    class Head(Exp):
        def build_head(self, in_channels, num_classes, strides):
            return super().build_head(in_channels, num_classes, strides)

    assert Mine(method="lla").build_assigner() == Head(method="lla").build_assigner() == LLA()
    for name in ("freeanchor", "autoassign"):
        with pytest.raises(InputError, match="has a build_model of its own"):
            Mine(method=name)
        with pytest.raises(InputError, match="has a build_head of its own"):
            Head(method=name)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(
        InputError, match=r"method: expected one of 'ota'.*did you mean 'freeanchor'"
    ):
        load_exp(name="quickstart", overrides={"method": "free_anchor"})
