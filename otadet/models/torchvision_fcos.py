"""torchvision's FCOS-R50 weights under this package's names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights

_NAMES = {
    "backbone.fpn.": "neck.pyramid.",
    "head.classification_head.conv.": "head.cls_tower.",
    "head.classification_head.cls_logits.": "head.cls_out.",
    "head.regression_head.conv.": "head.reg_tower.",
    "head.regression_head.bbox_reg.": "head.reg_out.",
    "head.regression_head.bbox_ctrness.": "head.quality_out.",
}
_CLASSES = "head.classification_head.cls_logits."
_UNUSED = ("__background__", "N/A")
_LEVELS = 5


def is_torchvision_fcos(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of ``torchvision.models.detection.fcos_resnet50_fpn``."""
    return f"{_CLASSES}weight" in state and "backbone.fpn.inner_blocks.0.0.weight" in state


def coco_rows() -> dict[str, int]:
    """Row of torchvision's 91 COCO categories by name: the 80 of detection, in their order.

    The other rows, background and ids that COCO never used, mean nothing.
    """
    categories = FCOS_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    return {name: row for row, name in enumerate(categories) if name not in _UNUSED}


def convert_torchvision_fcos(
    state: Mapping[str, Tensor], rows: list[int] | None = None
) -> dict[str, Tensor]:
    """A state dict of torchvision's FCOS under this package's names.

    Args:
        state: torchvision's; not changed.
        rows: which classes are kept, in this order; ``None`` keeps all.

    Returns:
        State for the network of ``exps/fcos_r50_torchvision.py``; names that are not known stay
        as they are, for :func:`~otadet.models.load_state` to complain of.
    """
    converted: dict[str, Tensor] = {}
    for name, value in state.items():
        kept = value[rows] if rows is not None and name.startswith(_CLASSES) else value
        converted[_renamed(name)] = kept
    converted["head.scales"] = torch.ones(_LEVELS)  # torchvision's head has none
    return converted


def _renamed(name: str) -> str:
    for theirs, ours in _NAMES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
