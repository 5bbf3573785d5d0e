"""Soft-NMS: lower the scores of overlapping boxes (Bodla et al., ICCV 2017)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from otadet.boxes import aligned_iou


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    kind: Literal["linear", "gaussian"],
    iou_threshold: float,
    sigma: float,
    score_threshold: float,
    limit: int,
) -> tuple[Tensor, Tensor]:
    """Lower scores by better boxes of the same class (Bodla et al. 2017, section 3, equations).

    Repeatedly the best remaining box of each class is taken, and the others of that class are
    multiplied by ``1 - iou`` where the IoU with it exceeds ``iou_threshold`` (linear), or by
    ``exp(-iou^2 / sigma)`` (gaussian). All classes take a step together, so there are as many
    steps as the largest class has boxes, ``limit`` at most; it synchronises once.

    Args:
        boxes: ``[N, 4]`` float32 xyxy, pixels of any one frame.
        scores: ``[N]`` float32.
        labels: ``[N]`` int64 class indices.
        kind: how scores fall.
        iou_threshold: for ``linear``; ``gaussian`` ignores it.
        sigma: for ``gaussian``, in units of IoU squared; the paper uses 0.5.
        score_threshold: boxes with a lowered score not above it are dropped.
        limit: largest number of boxes returned.

    Returns:
        ``(index, score)``: ``[M]`` int64 indices of the kept boxes and their ``[M]`` float32
        scores, by falling score.
    """
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.int64, device=boxes.device), scores
    table = rows_by_class(labels)
    row = torch.arange(len(table), device=boxes.device)
    table_boxes = boxes[table.clamp(min=0)]
    # A lowered score is never below 0, so -1 marks boxes taken, and padding.
    left = torch.where(table >= 0, scores[table.clamp(min=0)], -1.0)
    taken_index, taken_score = [], []
    for _ in range(min(table.shape[1], limit)):
        value, place = left.max(dim=1)
        taken_index.append(table[row, place])
        taken_score.append(value)
        iou = aligned_iou(table_boxes[row, place][:, None], table_boxes)
        if kind == "linear":
            factor = torch.where(iou > iou_threshold, 1 - iou, 1.0)
        else:
            factor = torch.exp(-iou.square() / sigma)
        left = torch.where(left >= 0, left * factor, left)
        left[row, place] = -1.0
    index, score = torch.cat(taken_index), torch.cat(taken_score)
    kept = torch.nonzero(score > max(score_threshold, 0.0)).squeeze(1)
    best = score[kept].argsort(descending=True, stable=True)[:limit]
    return index[kept][best], score[kept][best]


def rows_by_class(labels: Tensor) -> Tensor:
    """Group ``labels [N]``: ``[K, M]`` int64 rows of each class that occurs, padded with -1."""
    _, group, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    order = group.argsort(stable=True)
    start = counts.cumsum(0) - counts
    place = torch.arange(len(labels), device=labels.device) - start[group[order]]
    table = labels.new_full((len(counts), int(counts.max())), -1)
    table[group[order], place] = order
    return table
