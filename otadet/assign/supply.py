"""Supply: how many points an object asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.assign.candidates import Candidates, table_of
from otadet.assign.scene import Scene
from otadet.boxes import aligned_iou


class Supply(ABC):
    """How many points an object asks for."""

    @abstractmethod
    def __call__(self, scene: Scene, candidates: Candidates, iou: Tensor) -> Tensor:
        """``[G]`` float32 whole numbers, at least 1; ``iou [G, K]`` is 0 in unused slots."""


@dataclass(frozen=True)
class FixedK(Supply):
    """The same number for every object (paper, Table 4)."""

    k: int = 10

    def __call__(self, scene: Scene, candidates: Candidates, iou: Tensor) -> Tensor:
        return torch.full((scene.num_objects,), float(self.k), device=scene.device)


@dataclass(frozen=True)
class DynamicK(Supply):
    """The sum of the ``q`` largest IoUs, rounded down, at least 1 (paper 3.3).

    Attributes:
        q: how many predictions are summed; all of them where there are fewer.
        over: ``"object"`` looks at the object's own candidates (official OTA), ``"image"`` at the
            candidates of every object of the image (YOLOX).
    """

    q: int = 20
    over: str = "object"

    def __post_init__(self) -> None:
        if self.over not in ("object", "image"):
            raise ValueError(f"DynamicK.over: expected 'object' or 'image', got {self.over!r}")

    def __call__(self, scene: Scene, candidates: Candidates, iou: Tensor) -> Tensor:
        if self.over == "image":
            iou = _iou_with_pool(scene, candidates)
        best = iou.topk(min(self.q, iou.shape[1]), dim=1).values
        return best.sum(dim=1).floor().clamp(min=1.0)


POOL = 1 << 22
"""Pairs of an object and a place in its image's pool that are compared rather than waiting for the
device to learn the pool's size; a table of 16 MB, a fraction of which may be in use."""


def _iou_with_pool(scene: Scene, candidates: Candidates) -> Tensor:
    """IoU ``[G, U]`` of objects with all candidate points of their image, 0 where fewer than
    ``U``. Where waiting is not free and :data:`POOL` allows it, ``U`` is the most that the slots
    of an image can name; else the largest pool."""
    used = torch.zeros(scene.boxes.shape[0], dtype=torch.int32, device=scene.device)
    used.index_add_(0, candidates.point.flatten(), candidates.valid.flatten().int())
    most = min(scene.num_points, max(scene.counts) * candidates.slots)
    bound = most if scene.num_objects * most <= POOL else None
    point, valid = table_of((used > 0).view(scene.batch, -1), bound)
    offset = torch.arange(scene.batch, device=scene.device)[:, None] * scene.num_points
    pool = scene.boxes[point + offset] * valid[..., None]
    return aligned_iou(pool[scene.gt_image], scene.gt_boxes[:, None])
