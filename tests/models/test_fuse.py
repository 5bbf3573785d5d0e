"""A fused network says the same, has no BatchNorm left, and leaves the original alone."""

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from otadet.exp import load_exp
from otadet.models import Detector, FCOSHead, Normalize, fuse

NORMS = (nn.BatchNorm2d, FrozenBatchNorm2d)


def trained(model: nn.Module, seed: int = 0) -> nn.Module:
    """Norms as after a training: statistics and weights that are not 0 and 1."""
    g = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, NORMS):
            for name, low in (("weight", 0.5), ("bias", -0.2), ("running_mean", -0.2),
                              ("running_var", 0.5)):  # fmt: skip
                value = getattr(module, name)
                value.data.copy_(torch.rand(value.shape, generator=g) * 0.5 + low)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "settings"),
    [("yolox_nano", {}), ("yolox_s_coupled", {"width": 0.25, "depth": 0.33}),
     ("quickstart", {}), ("quickstart", {"frozen_norm": True}),
     ("ota_fcos_r18", {"fpn_channels": 32, "head_width": 32})],
)  # fmt: skip
def test_the_same_outputs_without_norms(name: str, settings: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = trained(load_exp(name=name, overrides=settings).build_model(3))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    fused = fuse(model)
    assert any(isinstance(m, NORMS) for m in model.modules())
    assert not any(isinstance(m, NORMS) for m in fused.modules())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    images = torch.randint(0, 256, (2, 3, 96, 160), dtype=torch.uint8)
    with torch.no_grad():
        a, b = model(images), fused(images)
    for part in ("boxes", "cls_logits", "quality_logits", "deltas"):
        x, y = getattr(a, part), getattr(b, part)
        assert (x - y).abs().max() <= 1e-4 * x.abs().max().clamp(min=1), part
        assert not torch.equal(x, y) or part == "points"


class Knot(nn.Module):
    """Three norms of which only the last may be folded."""

    strides = (8, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(n, 4, 3, padding=1) for n in (3, 4, 4))
        self.norm_a, self.norm_b, self.norm_c = (nn.BatchNorm2d(4) for _ in range(3))
        self.pool = nn.MaxPool2d(8)
        self.down = nn.MaxPool2d(2)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        x = self.a(self.pool(images))
        x = self.norm_a(x.relu_())  # another value in the same memory
        y = self.b(x)
        z = self.norm_b(y + x)
        z = self.norm_c(self.c(z))
        return [z, self.down(z), self.down(self.down(z))]


def knot() -> Detector:
    torch.manual_seed(0)
    backbone = Knot()
    head = FCOSHead(4, 2, backbone.strides, width=8, num_convs=1)
    model = Detector(backbone, nn.Identity(), head, Normalize())
    return trained(model)


def test_only_what_follows_directly_is_folded() -> None:
    fused = fuse(knot())
    left = [n for n, m in fused.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert left == ["backbone.norm_a", "backbone.norm_b"]


def test_an_output_that_is_used_twice_is_noticed() -> None:
    model = knot()

    def forward(self: Knot, images: torch.Tensor) -> list[torch.Tensor]:
        y = self.a(self.pool(images))
        z = self.norm_a(y) + y
        return [z, self.down(z), self.down(self.down(z))]

    model.backbone.forward = forward.__get__(model.backbone)
    with pytest.raises(RuntimeError, match="fused network differ"):
        fuse(model)


def test_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call model\.eval"):
        fuse(load_exp(name="quickstart").build_model(3))
