"""Networks of timm as backbones."""

import importlib.util
from pathlib import Path

import pytest
import torch

from otadet.errors import InputError
from otadet.exp import Exp
from otadet.models import Normalize
from otadet.models.state_dict import load_state

SMALL = {"fpn_channels": 16, "head_width": 16, "head_convs": 1, "extra_levels": False}


def test_a_word_where_timm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "timm" else real(n))
    with pytest.raises(InputError, match=r"timm is not installed; pip install 'otadet\[timm\]'"):
        Exp(backbone="timm/resnet18").build_model(2)


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "convnext_atto"])
def test_a_network_of_timm_detects(name: str) -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    exp = Exp(backbone=f"timm/{name}", **SMALL)
    model = exp.build_model(2).eval()
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    features = model.backbone(model.normalize(image))
    assert [tuple(f.shape[2:]) for f in features] == [(8, 12), (4, 6), (2, 3)]
    assert tuple(f.shape[1] for f in features) == model.backbone.channels
    preds = model.train()(image)
    assert preds.boxes.shape == (2, 8 * 12 + 4 * 6 + 2 * 3, 4)
    preds.cls_logits.sum().backward()
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_pixels_are_what_the_network_was_trained_on() -> None:
    timm = pytest.importorskip("timm")
    config = timm.get_pretrained_cfg("mobilenetv3_large_100.miil_in21k")
    assert tuple(config.mean) == (0.0, 0.0, 0.0)  # unlike most
    made = Exp(backbone="timm/mobilenetv3_large_100.miil_in21k").build_normalize()
    assert isinstance(made, Normalize)
    assert made.mean.flatten().tolist() == [0.0] * 3 and made.std.flatten().tolist() == [255.0] * 3


def test_weights_from_a_file(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    whole = timm.create_model("resnet10t")
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    exp = Exp(backbone="timm/resnet10t", backbone_weights=str(tmp_path / "w.pth"), **SMALL)
    model = exp.build_model(2)
    exp.load_pretrained(model)
    theirs = whole.state_dict()
    mine = {k: v for k, v in model.backbone.body.state_dict().items() if "fc" not in k}
    assert len(mine) > 20 and all(torch.equal(v, theirs[k]) for k, v in mine.items())
    load_state(model.backbone.body, mine, "test")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", "timm .* has none; did you mean 'resnet"),
        ("vit_tiny_patch16_224", "expected features of strides 8, 16 and 32; it has 16, 16, 16"),
        ("swin_tiny_patch4_window7_224", "expected a network for images of any size; got: Input"),
    ],
)
def test_networks_that_do_not_fit_are_named(name: str, message: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(InputError, match=f"backbone timm/{name}: {message}"):
        Exp(backbone=f"timm/{name}").build_model(2)


def test_settings_of_resnets_are_refused() -> None:
    with pytest.raises(InputError, match="frozen_stages: expected to be left out"):
        Exp(backbone="timm/resnet18", frozen_stages=2).build_model(2)
    pytest.importorskip("timm")
    exp = Exp(backbone="timm/resnet10t", backbone_weights="IMAGENET1K_V1", **SMALL)
    with pytest.raises(InputError, match="expected a file, or 'pretrained'"):
        exp.load_pretrained(exp.build_model(2))
