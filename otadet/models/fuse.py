"""Fold BatchNorm into the convolutions before it, for inference."""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights
from torchvision.ops import FrozenBatchNorm2d

from otadet.errors import InputError
from otadet.models.bf16_conv import remove_guard
from otadet.types import Predictions

Model = TypeVar("Model", bound=nn.Module)

TOLERANCE = 1e-4
"""Largest difference of an output, relative to the largest output of its kind."""

_SIDE = 128
"""Side of the probe image, pixels: enough for a level of stride 128."""


def fuse(model: Model) -> Model:
    """Return a copy with every BatchNorm folded into the convolution before it.

    Which norm follows which convolution is observed in one forward pass, not guessed from names: a
    pair is folded where every output of the convolution goes, unchanged, into that norm and the
    norm gets nothing else. GroupNorm depends on the image and stays. The copy is compared with
    the original before it is returned.

    Args:
        model: in evaluation mode, from images ``[B, 3, H, W]`` to
            :class:`~otadet.types.Predictions`; not changed.

    Returns:
        A network with the same outputs, :data:`TOLERANCE` apart at most.

    Raises:
        ValueError: the model is in training mode.
        RuntimeError: the outputs of the copy differ.
    """
    if model.training:
        raise ValueError("fuse: the model is in training mode; call model.eval() first")
    fused = copy.deepcopy(model)
    remove_guard(fused)  # the copy is for inference, where there is no gradient to guard
    tensor = next(fused.parameters())
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, _SIDE, _SIDE), generator=generator, dtype=torch.uint8)
    image = image.to(tensor.device)
    with torch.no_grad():
        pairs = _pairs(fused, image)
        for conv, norm in pairs.items():
            _replace(fused, conv, _folded(fused, conv, norm))
            _replace(fused, norm, nn.Identity())
        # Of two stages the first: which proposals come first may turn on rounding.
        _compare(model(image).dense, fused(image).dense)
    return fused


def _pairs(model: nn.Module, image: Tensor) -> dict[str, str]:
    """Return the names of the norms to fold by the names of their convolutions."""
    made: dict[int, tuple[str, Tensor, int]] = {}
    followers: dict[str, set[str]] = {}
    sources: dict[str, set[str]] = {}
    calls: dict[str, int] = {}
    handles = []

    def after_conv(name: str, output: Tensor) -> None:
        # The tensor is held, so that its id stays its own; the version shows changes in place.
        made[id(output)] = (name, output, output._version)
        calls[name] = calls.get(name, 0) + 1

    def before_norm(name: str, value: Tensor) -> None:
        source, _, version = made.get(id(value), ("", value, -1))
        source = source if value._version == version else ""
        sources.setdefault(name, set()).add(source)
        followers.setdefault(source, set()).add(name)
        calls[name] = calls.get(name, 0) + 1

    for name, module in model.named_modules():
        if type(module) is nn.Conv2d:
            handles.append(
                module.register_forward_hook(lambda _m, _i, out, n=name: after_conv(n, out))
            )
        elif isinstance(module, (nn.BatchNorm2d, FrozenBatchNorm2d)):
            handles.append(
                module.register_forward_pre_hook(lambda _m, given, n=name: before_norm(n, given[0]))
            )
    model(image)
    for handle in handles:
        handle.remove()
    return {
        conv: norm
        for conv, names in followers.items()
        if conv and len(names) == 1
        for norm in names
        if sources[norm] == {conv} and calls[norm] == calls[conv]
    }


def _folded(model: nn.Module, conv_name: str, norm_name: str) -> nn.Module:
    conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
    assert isinstance(conv, nn.Conv2d)
    if isinstance(norm, nn.BatchNorm2d):
        return fuse_conv_bn_eval(conv, norm)
    assert isinstance(norm, FrozenBatchNorm2d)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, norm.running_mean, norm.running_var, norm.eps,
        norm.weight, norm.bias,
    )  # fmt: skip
    return fused


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _compare(before: Predictions, after: Predictions) -> None:
    for name in ("boxes", "cls_logits", "quality_logits", "deltas"):
        a, b = getattr(before, name), getattr(after, name)
        if a is None:
            continue
        gap = float((a - b).abs().max() / a.abs().max().clamp(min=1))
        if math.isnan(gap):
            raise InputError(f"the network's {name} are not finite: its weights are too large")
        if not gap <= TOLERANCE:
            raise RuntimeError(
                f"fuse: {name} of the fused network differ by {gap:.2g} of the largest, expected "
                f"at most {TOLERANCE:g}; use the network as it is"
            )
