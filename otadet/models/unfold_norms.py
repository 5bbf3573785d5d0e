"""Give a BatchNorm that was folded into a convolution running statistics to train from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle


@dataclass
class _Moments:
    """Running mean and variance of each channel (Chan et al. 1983)."""

    count: float = 0.0
    mean: Tensor | float = 0.0
    var: Tensor | float = 0.0

    def add(self, x: Tensor) -> None:
        axes = [i for i in range(x.ndim) if i != 1]
        var, mean = torch.var_mean(x.float(), axes, correction=0)
        new = x.numel() / x.shape[1]
        share = new / (self.count + new)
        delta = mean.cpu().double() - self.mean
        self.var = (1 - share) * self.var + share * (
            var.cpu().double() + (1 - share) * delta.square()
        )
        self.mean = self.mean + share * delta
        self.count += new


def is_folded(state: Mapping[str, Tensor]) -> bool:
    """Return whether the BatchNorms of a state dict were folded and are mere shifts.

    Such weights detect equally well, but training from them starts with running statistics
    that fit nothing: on small data it costs half the AP. A fresh network, whose shifts are all
    zero, does not count.
    """
    norms = [k.removesuffix("running_mean") for k in state if k.endswith(".running_mean")]
    if not norms:
        return False
    means = torch.cat([state[n + "running_mean"].flatten() for n in norms]).float()
    variances = torch.cat([state[n + "running_var"].flatten() for n in norms]).float()
    scales = torch.cat([state[n + "weight"].flatten() for n in norms]).float()
    shifts = torch.cat([state[n + "bias"].flatten() for n in norms]).float()
    # Whether eps went into the weight or into the variance depends on who folded it.
    identity = (scales - variances.sqrt()).abs().max() < 2e-3 and (variances - 1).abs().max() < 2e-3
    return bool(identity) and not means.any() and bool(shifts.any())


@torch.no_grad()
def unfold_norms(model: nn.Module, batches: Iterable[Tensor]) -> int:
    """Give every BatchNorm the statistics of data, without changing the network's outputs.

    A folded BatchNorm has mean 0 and variance 1, whatever goes through it: its weights detect as
    before, but in training mode, where a batch's own statistics count, the network is another
    one. Here running mean and variance become those of ``batches``, and weight and bias are
    chosen so that the affine map of evaluation mode stays the same. Since no layer's output
    changes, one pass over the data serves all layers.

    Args:
        model: changed in place; its mode is kept.
        batches: images as the network takes them, on its device.

    Returns:
        The number of norms that were given statistics.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.affine]
    moments = {norm: _Moments() for norm in norms}

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        moments[norm].add(inputs[0])  # type: ignore[index]

    handles: list[RemovableHandle] = [n.register_forward_pre_hook(look) for n in norms]
    modes = {m: m.training for m in model.modules()}
    model.eval()
    try:
        for images in batches:
            model(images)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
    seen = [norm for norm in norms if moments[norm].count]
    for norm in seen:
        _set(norm, moments[norm])
    return len(seen)


def _set(norm: _BatchNorm, moments: _Moments) -> None:
    old_mean, old_var = norm.running_mean, norm.running_var
    if old_mean is None or old_var is None:
        raise ValueError("unfold_norms: expected norms that keep running statistics")
    mean, var = torch.as_tensor(moments.mean), torch.as_tensor(moments.var)
    old_scale = norm.weight.cpu().double() / (old_var.cpu().double() + norm.eps).sqrt()
    bias = norm.bias.cpu().double() + old_scale * (mean - old_mean.cpu().double())
    norm.weight.copy_(old_scale * (var + norm.eps).sqrt())
    norm.bias.copy_(bias)
    old_mean.copy_(mean)
    old_var.copy_(var)
