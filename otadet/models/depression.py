"""Dimmed features, so that a network does not lean on its most prominent places alone (MAL)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEFT_OVER = 0.25
"""What is left of a depressed feature."""
LARGEST_SHARE = 0.5
"""Share of a level's places that are depressed in the middle of a run."""
_STAIRS = 12
"""Parts of a run with a share each."""


def share_at(progress: float) -> float:
    """Share of a level's places that are depressed, ``progress`` (0 to 1) into a run.

    Rises in steps of 0.1 from 0 to :data:`LARGEST_SHARE` and falls to 0 again, a twelfth of the
    run each, as the authors of MAL publish it (Ke et al. 2020; DeLightCMU/MAL, IA_TYPE 5).
    """
    stair = min(int(progress * _STAIRS), _STAIRS - 1)
    return LARGEST_SHARE * min(stair, _STAIRS - 1 - stair) / (_STAIRS // 2 - 1)


def depressed(features: Sequence[Tensor], share: float) -> list[Tensor]:
    """Pyramid features whose places of most attention are dimmed.

    Attention to a place is the sum over channels of feature times that channel's mean over the
    level. What has more than the place of rank ``share * H * W`` keeps a quarter of its feature;
    no gradient flows through the choice (Ke et al. 2020, section 3.3, in the form of the authors'
    code, IA_FEAT_TYPE 0 and MASK_TYPE 0).

    Args:
        features: ``[B, C, H, W]`` a level.
        share: of places, 0 to below 1; with 0 the features come back as they are.
    """
    if share <= 0:
        return list(features)
    return [feature * _dimmed(feature.detach(), share) for feature in features]


def _dimmed(feature: Tensor, share: float) -> Tensor:
    """``[B, 1, H, W]``, 1 or :data:`LEFT_OVER`, in the features' dtype."""
    weight = feature.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)
    attention = (feature.float() * weight).sum(dim=1, keepdim=True)
    flat = attention.flatten(1)
    rank = int(share * flat.shape[1])
    limit = flat.topk(rank + 1, dim=1).values[:, -1].view(-1, 1, 1, 1)
    return torch.where(attention > limit, LEFT_OVER, 1.0).to(feature.dtype)
