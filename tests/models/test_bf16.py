"""Gradients in bf16 on a CPU: those of float32, whatever the shapes and what lies in free memory.

bf16 is computed by hardware where the CPU has it and emulated elsewhere; both must pass.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from otadet.exp import Exp, load_exp
from otadet.models.bf16_conv import guard_strided_convolutions, remove_guard
from otadet.types import Predictions

ROUNDING = 0.05
"""Largest difference to float32, relative to the largest gradient of a tensor."""

SMALLEST = [(32, 32), (32, 96), (96, 32)]
"""Inputs of which the last feature maps are one cell high, wide, or both."""

Shape = tuple[tuple[int, int], tuple[int, int], tuple[int, int], bool, tuple[int, int]]
"""Kernel, stride, padding, whether depthwise, height and width of the map."""


def networks() -> Iterator[Exp]:
    """One of every kind of backbone, neck and head; larger ones have the same shapes."""
    for name in ("quickstart", "ota_fcos_r50", "yolox_nano", "yolox_s_coupled", "faster_rcnn_r50"):
        yield load_exp(name=name)
    yield load_exp(name="ota_fcos_r50", overrides={"backbone": "resnext50_32x4d"})
    yield load_exp(name="yolox_s", overrides={"backbone": "darknet53"})


@pytest.fixture(scope="module")
def shapes() -> set[Shape]:
    """Every shape of a convolution in our networks, at their smallest maps."""
    found: set[Shape] = set()

    def look(conv: nn.Conv2d, args: tuple[Tensor, ...], _: Tensor) -> None:
        height, width = args[0].shape[2:]
        assert isinstance(conv.padding, tuple)
        found.add((conv.kernel_size, conv.stride, conv.padding, conv.groups > 1, (height, width)))  # type: ignore[arg-type]

    for exp in networks():
        with torch.device("meta"):  # shapes without memory
            model = exp.build_model(3).eval()
            for module in model.modules():
                if isinstance(module, nn.Conv2d):
                    module.register_forward_hook(look)
            for size in SMALLEST:
                features = model.backbone(torch.zeros(1, 3, *size))
                pyramid = model.neck(features)
                for level in pyramid:  # towers and outputs of heads: 3x3 and 1x1 of stride 1
                    found.add(((3, 3), (1, 1), (1, 1), False, tuple(level.shape[2:])))
    return found


@contextmanager
def dirty_memory(seed: int) -> Iterator[None]:
    """Free blocks of memory of many sizes that are full of NaN."""
    blocks = [torch.full((1000 + 37 * seed + 501 * i,), float("nan")) for i in range(20)]
    del blocks
    yield


def gradients(module: nn.Module, x: Tensor, weight: Tensor | None, bf16: bool) -> list[Tensor]:
    """Gradients of the input and of every parameter."""
    x = x.clone().requires_grad_()
    module.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = module(x)
    y.backward(torch.ones_like(y) if weight is None else weight.to(y.dtype))
    assert x.grad is not None
    return [x.grad, *(p.grad for p in module.parameters() if p.grad is not None)]


def differ(got: list[Tensor], expected: list[Tensor]) -> bool:
    return any(
        not a.isfinite().all() or (a - b).abs().max() > ROUNDING * b.abs().max()
        for a, b in zip(got, expected, strict=True)
    )


def test_every_shape_of_our_networks(shapes: set[Shape]) -> None:
    assert {shape[1] for shape in shapes} >= {(1, 1), (2, 2)} and len(shapes) > 30
    assert any(shape[4][1] < shape[1][1] for shape in shapes)  # what the guard is for is there
    wrong = []
    for kernel, stride, padding, depthwise, size in sorted(shapes):
        for layout in (torch.contiguous_format, torch.channels_last):
            torch.manual_seed(0)
            groups = 32 if depthwise else 1
            conv = nn.Conv2d(32, 32, kernel, stride, padding, groups=groups)
            network = nn.Sequential(conv).to(memory_format=layout)  # type: ignore[call-overload]
            guard_strided_convolutions(network)
            x = torch.randn(2, 32, *size).contiguous(memory_format=layout)
            weight = torch.randn_like(network(x))
            expected = gradients(network, x, weight, bf16=False)
            for seed in range(3):
                with dirty_memory(seed):
                    if differ(gradients(network, x, weight, bf16=True), expected):
                        wrong.append((kernel, stride, padding, depthwise, size, layout))
                        break
    assert not wrong


class SamePadding(nn.Conv2d):
    """A subclass with a forward of its own, as timm has some."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, (0, 1, 0, 1)))


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 2), (8, 1), (3, 3), (2, 2)])
@pytest.mark.parametrize("kind", [nn.Conv2d, SamePadding])
def test_a_guarded_convolution_is_float32_exactly_where_the_map_is_smaller_than_the_stride(
    kind: type[nn.Conv2d], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(kind(8, 8, 3, 2, 1), kind(8, 8, 3, 1, 1))
    names = list(network.state_dict())
    guard_strided_convolutions(network)
    guard_strided_convolutions(network)  # a second time changes nothing
    assert list(network.state_dict()) == names and isinstance(network[0], kind)
    assert type(network[1]) is kind
    x = torch.randn(2, 8, *size)
    small = min(size) < 2
    with torch.autocast("cpu", torch.bfloat16):
        assert network[0](x).dtype == (torch.float32 if small else torch.bfloat16)
        with torch.no_grad():  # without a gradient there is nothing to guard
            assert network[0](x).dtype == torch.bfloat16
    assert network[0](x).dtype == torch.float32
    remove_guard(network)
    assert type(network[0]) is kind


def loss_of(predictions: Predictions) -> Tensor:
    """A smooth function of all outputs; no assignment, whose choices may turn on rounding."""
    quality = predictions.quality_logits
    assert quality is not None
    parts = (predictions.cls_logits, quality, predictions.deltas)
    return torch.stack([part.float().sigmoid().mean() for part in parts]).sum()


@pytest.mark.parametrize("size", [(64, 64), (128, 32)])
def test_a_network_whose_last_levels_are_one_cell(size: tuple[int, int]) -> None:
    """Every gradient is finite, and P6's and P7's differ from float32 by what bf16 rounds in the
    whole network: 2 % to 23 % of a gradient's norm, with and without the guard, where the kernel's
    fault is off by many times its norm."""
    torch.manual_seed(0)
    small = {"fpn_channels": 32, "head_width": 32, "head_convs": 1}
    model = load_exp(name="quickstart", overrides={**small, "extra_levels": True}).build_model(3)
    images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)

    def strided(bf16: bool) -> list[Tensor]:
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            predictions = model(images)
        loss_of(predictions).backward()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
        blocks = model.neck.pyramid.extra_blocks
        return [p.grad.clone() for p in blocks.parameters()]

    expected = strided(bf16=False)
    for seed in range(4):
        with dirty_memory(seed):
            for got, wanted in zip(strided(bf16=True), expected, strict=True):
                assert (got - wanted).norm() < 0.4 * wanted.norm()
