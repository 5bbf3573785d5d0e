"""Folded BatchNorm gets statistics again: evaluation stays the same, training becomes usable."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from otadet.data import CocoDataset, collate, transforms
from otadet.engine.weights import open_weights
from otadet.exp import load_exp
from otadet.models import Detector, is_folded, load_state, unfold_norms
from otadet.rng import generator
from otadet.types import Predictions
from tests.helpers import SHARED, needs_shared


def test_by_hand() -> None:
    norm = nn.BatchNorm2d(1, eps=0.0)
    with torch.no_grad():
        norm.weight.fill_(3.0)
        norm.bias.fill_(5.0)
    first, second = torch.tensor([1.0, 3.0]), torch.tensor([5.0, 7.0, 9.0, 11.0])
    count = unfold_norms(norm, [first.view(1, 1, 1, 2), second.view(1, 1, 2, 2)])
    mean, var = 6.0, 35 / 3  # of the six numbers together
    assert count == 1
    assert norm.running_mean.item() == pytest.approx(mean)  # type: ignore[union-attr]
    assert norm.running_var.item() == pytest.approx(var)  # type: ignore[union-attr]
    assert norm.weight.item() == pytest.approx(3 * var**0.5)
    assert norm.bias.item() == pytest.approx(5 + 3 * mean)
    assert norm.training
    assert norm.eval()(torch.full((1, 1, 1, 1), 2.0)).item() == pytest.approx(11.0)


def test_norms_that_nothing_goes_through_stay() -> None:
    model = nn.ModuleDict({"a": nn.BatchNorm2d(2), "b": nn.BatchNorm2d(2)})
    model.forward = lambda x: model["a"](x)  # type: ignore[method-assign]
    assert unfold_norms(model, [torch.randn(4, 2, 3, 3)]) == 1
    assert torch.equal(model["b"].running_var, torch.ones(2))
    assert not model["a"]._forward_pre_hooks


@pytest.fixture(scope="module")
def photos() -> list[Tensor]:
    """Batches of eight; the first is not among those that are looked at."""
    data = CocoDataset(SHARED / "data/coco256", "annotations/train.json", "images")
    box = transforms.Letterbox((224, 224))
    chosen = np.linspace(0, len(data) - 1, 40).astype(int)
    samples = [box(data.load(int(i)), generator(0)) for i in chosen]
    return [collate(samples[i::5]).images for i in range(5)]


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


@needs_shared
def test_the_published_nano_on_real_photos(photos: list[Tensor]) -> None:
    checkpoint = open_weights(SHARED / "weights/yolox_nano_coco.pth")
    model: Detector = load_exp(name="yolox_nano").build_model(80)
    load_state(model, checkpoint.weights, "test")

    def outputs(mode: bool) -> Predictions:
        state = {k: v.clone() for k, v in model.state_dict().items()}
        with torch.no_grad():
            preds: Predictions = model.train(mode)(photos[0])
        model.load_state_dict(state)  # training mode moves the statistics
        return preds

    before, folded = outputs(False), outputs(True)
    assert is_folded(model.state_dict())
    assert unfold_norms(model, photos[1:]) == 104
    assert not is_folded(model.state_dict())
    after, trained = outputs(False), outputs(True)

    for name in ("cls_logits", "quality_logits", "deltas"):
        assert torch.allclose(getattr(before, name), getattr(after, name), atol=1e-3), name
        bad = _correlation(getattr(before, name), getattr(folded, name))
        good = _correlation(getattr(before, name), getattr(trained, name))
        assert good > 0.7 > 0.5 > bad, (name, good, bad)
