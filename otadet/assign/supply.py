"""Supply rules: how many points each object shall get."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, table_of
from otadet.assign.flat_batch import FlatBatch, sync_is_free
from otadet.boxes import aligned_iou, pairwise_iou


class Supply(ABC):
    """Rule for the number of points of each object."""

    @abstractmethod
    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> Tensor:
        """Return ``[G]`` float32 whole numbers, at least 1; ``iou [G, K]`` is 0 in unused slots."""


@dataclass(frozen=True)
class FixedK(Supply):
    """The same number for every object (paper, Table 4)."""

    k: int = 10

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> Tensor:
        return torch.full((batch.num_objects,), float(self.k), device=batch.device)


@dataclass(frozen=True)
class DynamicK(Supply):
    """The sum of the ``q`` largest IoUs, rounded down, at least 1 (paper 3.3).

    Attributes:
        q: how many predictions are summed; all of them where there are fewer.
        over: whose predictions: ``"object"`` the object's own candidates' (official OTA),
            ``"image"`` those of the candidates of every object of the image (YOLOX), ``"all"``
            those of every point of the image (the paper), which scans all points.
    """

    q: int = 20
    over: str = "object"

    def __post_init__(self) -> None:
        if self.over not in ("object", "image", "all"):
            raise ValueError(
                f"DynamicK.over: expected 'object', 'image' or 'all', got {self.over!r}"
            )
        if self.q < 1:
            raise ValueError(f"DynamicK.q: expected at least 1, got {self.q}")

    def __call__(self, batch: FlatBatch, candidates: Candidates, iou: Tensor) -> Tensor:
        if self.over == "all":
            best = _best_of_all(batch, self.q)
        else:
            table = iou if self.over == "object" else _iou_with_pool(batch, candidates)
            best = table.topk(min(self.q, table.shape[1]), dim=1).values
        return best.sum(dim=1).floor().clamp(min=1.0)


CHUNK = 1 << 17
"""Pairs whose IoUs are computed at once: 512 KB, which a core keeps in its cache."""


def _best_of_all(batch: FlatBatch, q: int) -> Tensor:
    """Return the ``q`` largest IoUs ``[G, q]`` of each object with all boxes of its image.

    Image by image, on a CPU a few objects at a time, so that memory does not grow with theirs.
    """
    boxes = batch.boxes.view(batch.num_images, -1, 4)
    most = min(q, batch.num_points)
    free = sync_is_free(batch.device)
    at_once = max(1, CHUNK // batch.num_points) if free else batch.num_objects
    found: list[Tensor] = []
    end = 0
    for image, count in enumerate(batch.counts):
        start, end = end, end + count
        for first in range(start, end, at_once):
            gt = batch.gt_boxes[first : min(first + at_once, end)]
            found.append(pairwise_iou(gt, boxes[image]).topk(most, dim=1).values)
    return torch.cat(found)


POOL = 1 << 22
"""Largest number of (object, pool slot) pairs for which the pool is given its largest possible
width, so that nothing synchronises to learn the needed one. The IoUs then take 16 MB."""


def _iou_with_pool(batch: FlatBatch, candidates: Candidates) -> Tensor:
    """Return the IoU of objects with all candidate points of their image.

    ``[G, U]``, 0 where an image has fewer than ``U``. Where synchronising is not free and
    :data:`POOL` allows it, ``U`` is the most that the slots of an image can name; else the largest
    pool.
    """
    used = torch.zeros(batch.boxes.shape[0], dtype=torch.int32, device=batch.device)
    used.index_add_(0, candidates.point.flatten(), candidates.valid.flatten().int())
    most = min(batch.num_points, max(batch.counts) * candidates.slots)
    bound = most if batch.num_objects * most <= POOL else None
    point, valid = table_of((used > 0).view(batch.num_images, -1), bound)
    offset = torch.arange(batch.num_images, device=batch.device)[:, None] * batch.num_points
    pool = batch.boxes[point + offset] * valid[..., None]
    return aligned_iou(pool[batch.gt_image], batch.gt_boxes[:, None])
