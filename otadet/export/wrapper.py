"""A detector with plain tensors as outputs, for export."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otadet.errors import InputError
from otadet.models import Detector
from otadet.postprocess import Postprocess, combined_scores
from otadet.types import GridLevel, Predictions


class Exportable(nn.Module):
    """The detector's own forward, decode and score rule with tensors as outputs.

    Args:
        model: in evaluation mode.
        postprocess: its score rule is used, and with ``for_nms`` its budget of candidates.
        for_nms: return the scores for NMS too.
    """

    def __init__(self, model: Detector, postprocess: Postprocess, for_nms: bool = False) -> None:
        super().__init__()
        self.model = model
        self.postprocess = postprocess
        self.for_nms = for_nms

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map RGB images ``[B, 3, H, W]``, 0 to 255, to tensors in the input frame.

        Returns:
            Boxes ``[B, A, 4]`` xyxy and scores ``[B, A, C]``; with ``for_nms`` also the scores
            ``[B, A, C]`` with 0 except for a level's best, and with ``point_labels="best"`` for a
            point's best class.
        """
        preds: Predictions = self.model(images)
        scores = combined_scores(
            preds.cls_logits, preds.quality_logits, self.postprocess.score_rule
        )
        if not self.for_nms:
            return preds.boxes.float(), scores
        if preds.points.grid is None:
            raise ValueError("export with NMS needs points that carry their grid")
        limited = best_label(scores) if self.postprocess.point_labels == "best" else scores
        limited = best_of_each_level(limited, preds.points.grid, self.postprocess.candidates)
        return preds.boxes.float(), scores, limited


def best_label(scores: Tensor) -> Tensor:
    """Return scores ``[B, A, C]`` with 0 for every class but the first of a point's largest."""
    classes = torch.arange(scores.shape[-1], device=scores.device)
    return torch.where(classes == scores.argmax(dim=-1, keepdim=True), scores, 0.0)


def require_evaluation_mode(model: nn.Module) -> None:
    """Check the mode: in training mode the file would normalise by each image's own statistics.

    Raises:
        InputError: the model is in training mode.
    """
    if model.training:
        raise InputError("export: the model is in training mode; call model.eval() first")


def best_of_each_level(scores: Tensor, grid: Sequence[GridLevel], count: int) -> Tensor:
    """Return scores ``[B, A, C]`` with 0 outside of each level's best ``count``.

    :class:`~otadet.postprocess.Postprocess` takes the best of each level when there are too many
    in all; a level with fewer than ``count`` keeps them all, so the results are equal.
    """
    kept: list[Tensor] = []
    start = 0
    for level in grid:
        part = scores[:, start : start + level.num_points]
        start += level.num_points
        # Padded, so that a small level has `count` entries too, whatever the input's size.
        lowest = F.pad(part.flatten(1), (0, count)).topk(count).values[:, -1]
        kept.append(torch.where(part >= lowest[:, None, None], part, 0.0))
    return torch.cat(kept, dim=1)
