"""Deformable convolutions beside plain ones, and networks that hold them."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from otadet.errors import InputError
from otadet.exp import Exp
from otadet.models import (
    ModulatedDeformConv2d,
    ResNetBackbone,
    count_flops,
    fuse,
    is_deformable,
    load_backbone_weights,
    profile_model,
)


@pytest.mark.parametrize(("stride", "dilation", "groups"), [(1, 1, 1), (2, 1, 4), (1, 2, 2)])
def test_a_fresh_one_is_half_of_the_plain_one(stride: int, dilation: int, groups: int) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 12, 3, stride, dilation, dilation, groups, bias=False)
    x = torch.randn(2, 8, 9, 11)
    assert torch.allclose(ModulatedDeformConv2d.of(plain)(x), plain(x) / 2, atol=1e-5)


def test_a_shift_by_one_cell_looks_at_the_neighbour() -> None:
    conv = ModulatedDeformConv2d(1, 1)
    x = torch.arange(30.0).view(1, 1, 5, 6)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0, 1, 1] = 1.0  # the centre tap alone
        assert conv.offset.bias is not None
        conv.offset.bias[2 * 4 + 1] = 1.0  # its shift to the right
        conv.offset.bias[18 + 4] = 100.0  # its weight is one
    assert torch.allclose(conv(x)[0, 0, :, :-1], x[0, 0, :, 1:], atol=1e-4)
    assert not conv(x)[0, 0, :, -1].any()  # beyond the border


def test_half_precision_is_computed_in_single() -> None:
    conv = ModulatedDeformConv2d(4, 4)
    x = torch.randn(1, 4, 6, 6).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = conv(x)
    assert y.dtype == torch.bfloat16 and torch.allclose(y.float(), conv(x.float()), atol=0.02)


def test_which_convolutions_of_a_backbone_are_deformable() -> None:
    with torch.device("meta"):
        body = ResNetBackbone("resnext50_32x4d", deform_stages=2).body
    found = {n: m for n, m in body.named_modules() if isinstance(m, ModulatedDeformConv2d)}
    assert set(found) == {f"layer3.{i}.conv2" for i in range(6)} | {
        f"layer4.{i}.conv2" for i in range(3)
    }
    assert all(m.groups == 32 and m.kernel_size == (3, 3) for m in found.values())
    assert found["layer4.0.conv2"].stride == (2, 2) and found["layer4.1.conv2"].stride == (1, 1)


@pytest.mark.parametrize(
    ("name", "classifier"),
    [("resnet101", 44_549_160), ("resnext50_32x4d", 25_028_904),
     ("resnext101_32x8d", 88_791_336), ("resnext101_64x4d", 83_455_272)],
)  # fmt: skip
def test_parameters_are_those_that_torchvision_publishes(name: str, classifier: int) -> None:
    """Its tables count the last layer, 2048 x 1000 and 1000."""
    weights = models.get_model_weights(name)
    assert weights.IMAGENET1K_V1.meta["num_params"] == classifier
    with torch.device("meta"):
        plain, bent = ResNetBackbone(name), ResNetBackbone(name, deform_stages=2)
    count = sum(p.numel() for p in plain.parameters())
    assert count == classifier - 2048 * 1000 - 1000
    convs = [m for m in bent.modules() if isinstance(m, ModulatedDeformConv2d)]
    offsets = sum(27 * m.in_channels * 9 + 27 for m in convs)
    assert sum(p.numel() for p in bent.parameters()) == count + offsets


@pytest.mark.parametrize("frozen", [False, True])
def test_published_weights_go_to_the_deformable_convolutions(tmp_path: Path, frozen: bool) -> None:
    torch.manual_seed(0)
    source = models.resnet18(norm_layer=nn.BatchNorm2d)
    torch.save(source.state_dict(), tmp_path / "r18.pth")
    backbone = ResNetBackbone("resnet18", frozen_norm=frozen, deform_stages=2)
    load_backbone_weights(backbone, "resnet18", str(tmp_path / "r18.pth"))
    assert torch.equal(backbone.body["layer4"][1].conv2.weight, source.layer4[1].conv2.weight)
    assert not backbone.body["layer4"][1].conv2.offset.weight.any()
    image = torch.rand(1, 3, 64, 64)
    stride8 = nn.Sequential(*list(source.children())[:6]).eval()
    assert torch.allclose(backbone.eval()(image)[0], stride8(image), atol=1e-5)


def test_operations_are_those_of_the_products() -> None:
    conv = ModulatedDeformConv2d(8, 16, groups=4)
    by_hand = 2 * 10 * 12 * (16 * 2 * 9 + 27 * 8 * 9)
    net = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), conv)

    class Pixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(images.float())

    first = 2 * 10 * 12 * 3 * 8
    assert count_flops(Pixels(), (10, 12)) == by_hand + first
    assert count_flops(Pixels().to("meta"), (10, 12)) == by_hand + first
    assert profile_model(Pixels(), (10, 12)).thop_gflops * 1e9 == by_hand + first


def test_a_deformable_detector_keeps_its_initial_offsets_and_can_be_fused() -> None:
    torch.manual_seed(0)
    exp = Exp(backbone="resnet10", fpn_channels=16, head_width=16, head_convs=2,
              extra_levels=False, deform_stages=1, deform_head=True)  # fmt: skip
    model = exp.build_model(2).eval()
    convs = {n: m for n, m in model.named_modules() if isinstance(m, ModulatedDeformConv2d)}
    assert {n for n in convs if n.startswith("head")} == {"head.cls_tower.3", "head.reg_tower.3"}
    assert len(convs) == 4 and not any(m.offset.weight.any() for m in convs.values())
    assert is_deformable(fuse(model)) and not is_deformable(Exp().build_head(16, 2, (8,)))


def test_wrong_numbers_of_stages() -> None:
    with pytest.raises(InputError, match="deform_stages: expected 0 to 4, got 5"):
        ResNetBackbone("resnet18", deform_stages=5)
    with pytest.raises(InputError, match="setting deform_stages: expected 0 to 4"):
        Exp(deform_stages=-1)
