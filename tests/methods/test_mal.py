"""Dimmed features: which, by how much, when in a run, and never outside training."""

from pathlib import Path

import pytest
import torch
from torch import nn

from otadet.cli.train import main as train
from otadet.exp import load_exp
from otadet_methods.mal import SuppressingDetector, share_at, suppress
from tests.engine.processes import quick


def test_the_share_rises_to_half_and_falls_again() -> None:
    stairs = [share_at((i + 0.5) / 12) for i in range(12)]
    assert stairs == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1, 0])
    assert share_at(0.0) == share_at(1.0) == 0


def test_what_is_dimmed_by_hand() -> None:
    """Channel means 2 and -1: attention is 2 a - b of each place, hence 13, 1, 5 and 1."""
    first = torch.tensor([[6.0, 0.0], [2.0, 0.0]])
    second = torch.tensor([[-1.0, -1.0], [-1.0, -1.0]])
    feature = torch.stack([first, second])[None].requires_grad_()
    assert torch.equal(suppress([feature], 0.0)[0], feature)
    for share, kept in [
        (0.25, [0.25, 1, 1, 1]),
        (0.5, [0.25, 1, 0.25, 1]),
        (0.9, [0.25, 1, 0.25, 1]),
    ]:
        (out,) = suppress([feature], share)
        weight = torch.tensor(kept).view(2, 2)
        assert torch.equal(out, feature * weight)
        (gradient,) = torch.autograd.grad(out.sum(), feature)
        assert torch.equal(gradient, weight.expand(1, 2, 2, 2))  # none through the choice


def test_each_picture_and_level_has_its_own_places() -> None:
    torch.manual_seed(0)
    features = [torch.rand(3, 4, 8, 12), torch.rand(3, 4, 4, 6)]
    together = suppress(features, 0.3)
    for level, feature in enumerate(features):
        dimmed = (together[level] != feature).any(dim=1).flatten(1).sum(dim=1)
        assert dimmed.tolist() == [int(0.3 * feature[0, 0].numel())] * 3
        for image in range(3):
            alone = suppress([feature[image : image + 1]], 0.3)[0]
            assert torch.equal(alone[0], together[level][image])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays(dtype: torch.dtype) -> None:
    (out,) = suppress([torch.full((1, 256, 4, 4), 200.0, dtype=dtype)], 0.5)
    assert out.dtype == dtype and out.isfinite().all()  # the sum of squares is beyond float16


def test_only_training_dims() -> None:
    torch.manual_seed(0)
    exp = load_exp(name="quickstart", overrides={"method": "mal"})
    mal = exp.build_model(2)
    plain = load_exp(name="quickstart", overrides={"method": "freeanchor"}).build_model(2)
    assert mal.state_dict().keys() == plain.state_dict().keys()  # weights go either way
    images = torch.randint(0, 256, (1, 3, 64, 64))
    logits = []
    for progress, training in [(0.0, True), (0.5, True), (0.5, False)]:
        mal.load_state_dict(plain.state_dict())
        exp.before_step(mal, progress)
        logits.append(mal.train(training)(images).cls_logits)
    plain.eval()
    assert torch.equal(logits[2], plain(images).cls_logits)
    assert not torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], plain.train()(images).cls_logits)


def test_a_run_suppresses_by_its_progress(tmp_path: Path) -> None:
    """Only the twelve steps are taken in training mode: with so few there are no averaged weights,
    and evaluation and the images at the end are made by the network that was training."""
    seen: list[float] = []

    def look(module: nn.Module, _: object) -> None:
        if isinstance(module, SuppressingDetector) and module.training:
            seen.append(module.share)

    words = [
        "method=mal",
        "max_iters=12",
        "save_interval=4",
        "eval_interval=1000",
        "val_loss=false",
    ]
    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        assert train(quick(tmp_path, *words)) == 0
    finally:
        hook.remove()
    assert seen == [share_at(i / 12) for i in range(12)] and max(seen) == 0.5
