"""Official YOLOX weights under this package's names, for RGB instead of BGR."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_NECK = {
    "lateral_conv0": "reduce5",
    "C3_p4": "top_down4",
    "reduce_conv1": "reduce4",
    "C3_p3": "top_down3",
    "bu_conv2": "down3",
    "C3_n3": "bottom_up4",
    "bu_conv1": "down4",
    "C3_n4": "bottom_up5",
    "out1_cbl": "reduce5",
    "out1": "merge4",
    "out2_cbl": "reduce4",
    "out2": "merge3",
}
"""YOLOX's names of the pyramid's modules; the last four are those of its Darknet-53 model."""

_STEMS = ("backbone.stem.conv.conv.weight", "backbone.stem.0.conv.weight")


def is_yolox(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights under the names of YOLOX's own code."""
    return any(k.startswith("backbone.backbone.") for k in state)


def convert_yolox(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict under this package's names, its first layer turned to RGB.

    Args:
        state: under YOLOX's own names; not changed. Its network expects BGR pixels 0 to 255.

    Returns:
        State for a :class:`~otadet.models.Detector`; names that are not known stay as they are,
        for :func:`~otadet.models.load_state` to complain of.
    """
    converted = {_renamed(k): v for k, v in state.items()}
    for name in _STEMS:
        if name in converted:
            weight = converted[name]
            # 12 channels are four patches of three colours, 3 are the colours themselves.
            patches = weight.reshape(len(weight), -1, 3, *weight.shape[2:])
            converted[name] = patches.flip(2).reshape(weight.shape)
    return converted


def is_folded(state: Mapping[str, Tensor]) -> bool:
    """Whether the BatchNorms were folded into the convolutions and only shift any more.

    Such weights detect as well as before, but training from them starts with running statistics
    that fit nothing: on small data it costs half the AP. A fresh network, whose shifts are all
    zero, is not meant.
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


def _renamed(name: str) -> str:
    if name.startswith("backbone.backbone."):
        return name.removeprefix("backbone.")
    part, _, rest = name.partition(".")
    module, _, leaf = rest.partition(".")
    if part == "backbone" and module in _NECK:
        return f"neck.{_NECK[module]}.{leaf}"
    return name
