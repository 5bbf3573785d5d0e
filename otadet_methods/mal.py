"""MAL (Ke et al. 2020): FreeAnchor while the most prominent features are suppressed in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from otadet.exp.methods import Method
from otadet.models import Detector
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.free_anchor import FreeAnchorCriterion

LEFT_OVER = 0.25
"""Factor on a suppressed feature."""
LARGEST_SHARE = 0.5
"""Share of a level's cells that are suppressed half way through a run."""
_STAIRS = 12
"""Parts of a run with a share each."""


def share_at(progress: float) -> float:
    """Return the share of a level's cells that are suppressed, ``progress`` (0 to 1) into a run.

    Rises in steps of 0.1 from 0 to :data:`LARGEST_SHARE` and falls to 0 again, a twelfth of the
    run each, as the authors of MAL publish it (Ke et al. 2020; DeLightCMU/MAL, IA_TYPE 5).
    """
    stair = min(int(progress * _STAIRS), _STAIRS - 1)
    return LARGEST_SHARE * min(stair, _STAIRS - 1 - stair) / (_STAIRS // 2 - 1)


def suppress(features: Sequence[Tensor], share: float) -> list[Tensor]:
    """Return pyramid features whose cells of most attention are dimmed.

    Attention to a cell is the sum over channels of feature times that channel's mean over the
    level. What has more than the cell of rank ``share * H * W`` keeps a quarter of its feature;
    no gradient flows through the choice (Ke et al. 2020, section 3.3, in the form of the authors'
    code, IA_FEAT_TYPE 0 and MASK_TYPE 0).

    Args:
        features: ``[B, C, H, W]`` a level.
        share: of cells, 0 to below 1; with 0 the features come back as they are.
    """
    if share <= 0:
        return list(features)
    return [feature * _factors(feature.detach(), share) for feature in features]


def _factors(feature: Tensor, share: float) -> Tensor:
    """Return ``[B, 1, H, W]``, 1 or :data:`LEFT_OVER`, in the features' dtype."""
    weight = feature.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)
    attention = (feature.float() * weight).sum(dim=1, keepdim=True)
    flat = attention.flatten(1)
    rank = int(share * flat.shape[1])
    limit = flat.topk(rank + 1, dim=1).values[:, -1].view(-1, 1, 1, 1)
    return torch.where(attention > limit, LEFT_OVER, 1.0).to(feature.dtype)


class SuppressingDetector(Detector):
    """Detector that suppresses features in training; the weights are those of a plain one."""

    share = 0.0
    """Share of each level's cells, set before each step."""

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the pyramid features of ``images``, in training with some of them dimmed."""
        features = super().features(images)
        return suppress(features, self.share) if self.training else features


class MAL(Method):
    """Method whose network suppresses a share of its features that depends on the step."""

    changes_network: ClassVar[bool] = True

    def wrap(self, model: Detector) -> Detector:
        """Return the network with suppression."""
        return SuppressingDetector(model.backbone, model.neck, model.head, model.normalize)

    def before_step(self, model: Detector, progress: float) -> None:
        """Set the share of suppressed features."""
        if isinstance(model, SuppressingDetector):
            model.share = share_at(progress)


METHOD = MAL(AnchorBag(40), lambda bag, _: FreeAnchorCriterion(bag, bag_size=40), quality="none")
"""``method=mal``."""
