"""What a training step asks of a GPU: everything on it, and how often the host waits for it."""

import pytest
import torch

from otadet.engine.ema import Ema
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.engine.step import Step
from otadet.exp import Exp
from otadet.exp.methods import METHODS
from otadet.exp.yolox import YoloxExp
from otadet.optim import Schedule
from tests.engine.test_step import batch
from tests.pretend_cuda import CUDA, PretendCuda, pretended

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")

ONCE = {
    "ota", "ota_short", "ota_image_k", "ota_paper", "simota", "simota_short", "atss", "topk",
    "noisyanchors", "freeanchor", "mal", "fcos", "yolox",
}  # fmt: skip
"""They wait at the assigner's end alone."""

WIDTH = {
    "paa",
    "fcos_nocenter",
    "retinanet",
    "tal",
    "lla",
    "foveabox",
    "fsaf",
    "sapd",
    "autoassign",
}
"""They look at all points and wait for the width of their table too."""

ON_HOST = {"hungarian", "detr"}
"""Solved on the host: four copies to it and one back."""


def step(name: str, device: PretendCuda, parts: int = 1) -> tuple[float, dict[str, int]]:
    """Loss and waits of a first step."""
    torch.manual_seed(0)
    exp: Exp = YoloxExp(depth=0.33, width=0.25)
    if name != "yolox":
        exp = Exp(backbone="resnet10", head_convs=1, head_width=32, fpn_channels=32,
                  frozen_norm=False, method=name)  # fmt: skip
    model = exp.build_model(2).to(device=CUDA)
    precision = Precision("fp32", "cuda")
    state = TrainState(model, exp.build_optimizer(model), precision.scaler(), Ema(model, 0.9, 2.0))
    take = Step(
        model, Schedule(0.01, 10), precision, torch.channels_last, clip_grad=10.0, parts=parts,
        keep_buffers=True,
    )  # fmt: skip
    device.waits.clear()
    taken = take(state, exp.build_criterion(), batch(4).pin_memory().to(CUDA))
    waits = dict(device.waits)
    assert taken.report is not None and bool(taken.applied)
    return float(taken.report.total), waits


@pytest.mark.parametrize("name", [*METHODS, "yolox"])
def test_a_step_mixes_no_devices_and_waits_as_often_as_is_said(name: str) -> None:
    with pretended() as device:
        loss, waits = step(name, device)
    assert loss > 0
    repaired = sum(n for place, n in waits.items() if place.startswith("assign/min_positives.py"))
    count = sum(waits.values()) - repaired
    assert all(place.startswith("assign/") for place in waits), waits
    if name in ONCE:
        assert count == 1, waits
    elif name in WIDTH:
        assert count == 2, waits
    elif name in ON_HOST:
        assert count == 6, waits
    else:
        assert name == "ota_newton"
        assert 5 <= count <= 12, waits


def test_parts_wait_once_each() -> None:
    with pretended() as device:
        _, waits = step("ota", device, parts=2)
    assert sum(waits.values()) == 2


def test_the_device_sees_what_it_is_for() -> None:
    """A mixture of devices, a mask, a value, a blocking copy and a derivative that asks."""
    with pretended() as device:
        there = torch.arange(4.0, device=CUDA)
        with pytest.raises(RuntimeError, match="mixes"):
            there + torch.ones(4)
        assert not sum(device.waits.values())
        there[there > 1].sum()
        torch.ones(4).to(CUDA, non_blocking=True)
        there.prod(dim=0)
        assert sum(device.waits.values()) == 3
        torch.ones(4).pin_memory().to(CUDA, non_blocking=True)
        assert sum(device.waits.values()) == 3 and float(there.sum()) == 6.0
        assert sum(device.waits.values()) == 4
