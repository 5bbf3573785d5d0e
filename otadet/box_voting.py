"""Box voting: merge the boxes of several passes for one object."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.boxes import aligned_iou
from otadet.soft_nms import rows_by_class

_LOOK = 16
"""Steps between checks whether any box is left: a check synchronises."""


def soft_vote(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    iou_threshold: float,
    score_threshold: float,
    limit: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Merge boxes by ATSS's soft voting (Zhang et al. 2020, section 4.5, multi-scale test).

    Repeatedly the best remaining box of each class is taken with all boxes of that class whose IoU
    with it is at least ``iou_threshold``. Together they give one box, the mean of their coordinates
    weighted by their scores, with the best score (Gidaris and Komodakis 2015). Each of them is also
    kept with its score multiplied by ``1 - iou`` as in linear soft-NMS, where that is at least
    ``score_threshold``, so that two objects that overlap so much are not merged. All classes take a
    step together, so there are as many steps as the largest class has groups, ``limit`` at most,
    since no box that comes later can have a better score.

    Args:
        boxes: ``[N, 4]`` float32 xyxy of all passes, pixels of one frame.
        scores: ``[N]`` float32.
        labels: ``[N]`` int64 class indices.
        iou_threshold: least IoU of boxes that are merged.
        score_threshold: boxes with lower scores are dropped.
        limit: largest number of boxes returned.

    Returns:
        ``(boxes, scores, labels)``: ``[M, 4]``, ``[M]``, ``[M]`` by falling score.
    """
    if len(boxes) == 0:
        return boxes, scores, labels
    table = rows_by_class(labels)
    filled = table >= 0
    row = torch.arange(len(table), device=boxes.device)
    mine = boxes[table.clamp(min=0)]
    weight = torch.where(filled, scores[table.clamp(min=0)], 0.0)
    left, lowered = filled.clone(), torch.zeros_like(weight)
    voted: list[Tensor] = []
    value: list[Tensor] = []
    for step in range(min(table.shape[1], limit)):
        if step % _LOOK == 0 and not bool(left.any()):
            break
        best, place = torch.where(left, weight, -1.0).max(dim=1)
        first = mine[row, place][:, None]
        iou = aligned_iou(first, mine)
        group = left & (iou >= iou_threshold)
        group[row, place] = left[row, place]  # a box without area has IoU 0 with itself
        share = torch.where(group, weight, 0.0)
        total = share.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        # As a shift of the best box, so that a box merged with no other stays the same to the bit.
        shift = (share[..., None] * (mine - first)).sum(dim=1) / total
        voted.append(first[:, 0] + shift)
        value.append(best)
        lowered = torch.where(group, weight * (1 - iou), lowered)
        lowered[row, place] = torch.where(group[row, place], 0.0, lowered[row, place])
        left = left & ~group
    kinds = labels[table[:, 0]]
    return _best(
        torch.cat([*voted, mine.flatten(0, 1)]),
        torch.cat([*value, lowered.flatten()]),
        torch.cat([kinds.repeat(len(voted)), kinds.repeat_interleave(table.shape[1])]),
        score_threshold,
        limit,
    )


def _best(
    boxes: Tensor, scores: Tensor, labels: Tensor, score_threshold: float, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The best ``limit`` boxes of at least ``score_threshold``, none with a score of 0."""
    kept = torch.nonzero((scores >= score_threshold) & (scores > 0)).squeeze(1)
    order = kept[scores[kept].argsort(descending=True, stable=True)[:limit]]
    return boxes[order], scores[order], labels[order]
