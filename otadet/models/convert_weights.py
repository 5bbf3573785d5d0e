"""Convert the state dicts of official YOLOX and of torchvision's FCOS to this package's names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights

_YOLOX_NECK = {
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

_TORCHVISION = {
    "backbone.fpn.": "neck.pyramid.",
    "head.classification_head.conv.": "head.cls_tower.",
    "head.classification_head.cls_logits.": "head.cls_out.",
    "head.regression_head.conv.": "head.reg_tower.",
    "head.regression_head.bbox_reg.": "head.reg_out.",
    "head.regression_head.bbox_ctrness.": "head.quality_out.",
}
_CLS_LOGITS = "head.classification_head.cls_logits."
_UNUSED = ("__background__", "N/A")
_LEVELS = 5


def is_yolox(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict has the names of YOLOX's own code."""
    return any(k.startswith("backbone.backbone.") for k in state)


def convert_yolox(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert an official state dict of YOLOX, its first layer from BGR to RGB.

    Args:
        state: under YOLOX's own names; not changed. Its network expects BGR pixels 0 to 255.

    Returns:
        State for a :class:`~otadet.models.Detector`; names that are not known stay as they are,
        for :func:`~otadet.models.load_state` to report.
    """
    converted = {_yolox_name(k): v for k, v in state.items()}
    for name in _STEMS:
        if name in converted:
            weight = converted[name]
            # 12 channels are four patches of three colours, 3 are the colours themselves.
            patches = weight.reshape(len(weight), -1, 3, *weight.shape[2:])
            converted[name] = patches.flip(2).reshape(weight.shape)
    return converted


def _yolox_name(name: str) -> str:
    if name.startswith("backbone.backbone."):
        return name.removeprefix("backbone.")
    part, _, rest = name.partition(".")
    module, _, leaf = rest.partition(".")
    if part == "backbone" and module in _YOLOX_NECK:
        return f"neck.{_YOLOX_NECK[module]}.{leaf}"
    return name


def is_torchvision_fcos(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict is that of ``torchvision.models.detection.fcos_resnet50_fpn``."""
    return f"{_CLS_LOGITS}weight" in state and "backbone.fpn.inner_blocks.0.0.weight" in state


def coco_rows() -> dict[str, int]:
    """Return the row of torchvision's 91 COCO categories by name: the 80 of detection, in order.

    The other rows, background and ids that COCO never used, mean nothing.
    """
    categories = FCOS_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    return {name: row for row, name in enumerate(categories) if name not in _UNUSED}


def convert_torchvision_fcos(
    state: Mapping[str, Tensor], rows: list[int] | None = None
) -> dict[str, Tensor]:
    """Convert a state dict of torchvision's FCOS.

    Args:
        state: torchvision's; not changed.
        rows: which classes are kept, in this order; ``None`` keeps all.

    Returns:
        State for the network of ``exps/fcos_r50_torchvision.py``; names that are not known stay
        as they are, for :func:`~otadet.models.load_state` to report.
    """
    converted: dict[str, Tensor] = {}
    for name, value in state.items():
        kept = value[rows] if rows is not None and name.startswith(_CLS_LOGITS) else value
        converted[_torchvision_name(name)] = kept
    converted["head.scales"] = torch.ones(_LEVELS)  # torchvision's head has none
    return converted


def _torchvision_name(name: str) -> str:
    for theirs, ours in _TORCHVISION.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
