"""Flattened batch: predictions and ground truth of all images in one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from otadet.boxes import area
from otadet.errors import NonFiniteError
from otadet.to_device import to_device
from otadet.types import Points, Predictions, Target

IGNORE_OVERLAP = 0.5
"""A point belongs to an ignore region when more than this share of its own predicted box lies in
one of the image's ignore boxes (CrowdHuman's rule for detections)."""


@dataclass(frozen=True, eq=False)
class FlatBatch:
    """Predictions and objects of a batch in one row each; ``N = B * A``, ``G`` objects in all.

    Attributes:
        boxes: ``[N, 4]`` float32 predicted boxes, xyxy, pixels of the input frame.
        logits: ``[N, C]`` class logits in the dtype they came in; cast where they are gathered.
        quality: ``[N]`` quality logits or ``None``.
        points: the ``A`` points of one image.
        num_images: number of images ``B``.
        gt_boxes: ``[G, 4]`` float32, input frame.
        gt_labels: ``[G]`` int64.
        gt_image: ``[G]`` int64, the image of each object.
        counts: objects of each image, known on the host.
        ignored: ``[N]`` bool, points that belong to an ignore region; ``None`` where no image
            has such a region.
    """

    boxes: Tensor
    logits: Tensor
    quality: Tensor | None
    points: Points
    num_images: int
    gt_boxes: Tensor
    gt_labels: Tensor
    gt_image: Tensor
    counts: tuple[int, ...]
    ignored: Tensor | None

    @property
    def num_points(self) -> int:
        """Points an image, ``A``."""
        return len(self.points)

    @property
    def num_objects(self) -> int:
        """Objects of the batch, ``G``."""
        return self.gt_boxes.shape[0]

    @property
    def device(self) -> torch.device:
        """Device of all tensors."""
        return self.boxes.device

    @cached_property
    def gt_centers(self) -> Tensor:
        """``[G, 2]`` centres of the objects."""
        return (self.gt_boxes[:, :2] + self.gt_boxes[:, 2:]) * 0.5

    @cached_property
    def first_object(self) -> Tensor:
        """``[B]`` int64: row of each image's first object."""
        counts = to_device(self.counts, self.device)
        return counts.cumsum(0) - counts

    @cached_property
    def usable_points(self) -> Tensor:
        """``[B]`` float32: points of each image outside its ignore regions."""
        if self.ignored is None:
            return torch.full((self.num_images,), float(self.num_points), device=self.device)
        return (~self.ignored).view(self.num_images, -1).sum(dim=1).float()

    def per_image(self, value: Tensor) -> Tensor:
        """Return ``[B]`` sums over each image's objects of ``value [G]``; float32."""
        total = torch.zeros(self.num_images, device=self.device)
        return total.index_add_(0, self.gt_image, value.float())


def sync_is_free(device: torch.device) -> bool:
    """Return whether reading a value on the host costs nothing, as on the CPU.

    On other devices it would synchronise, so unused slots are computed with instead of counted.
    """
    return device.type == "cpu"


def has_float64(device: torch.device) -> bool:
    """Return whether the device computes in float64, without which no plan converges.

    Apple's GPUs (MPS) do not, so assigners work on the CPU for them.
    """
    return device.type != "mps"


def sync_interval(device: torch.device) -> int:
    """Return the iterations between checks for convergence; each check synchronises."""
    return 1 if sync_is_free(device) else 4


def flatten(preds: Predictions, targets: Sequence[Target]) -> FlatBatch:
    """Flatten a batch without reading values on the host.

    Raises:
        ValueError: where the number of targets is not the number of images, or a target lives
            on another device.
    """
    if len(targets) != preds.batch_size:
        raise ValueError(
            f"expected one Target an image: {preds.batch_size} images, {len(targets)} targets"
        )
    device = preds.boxes.device
    for index, target in enumerate(targets):
        if target.boxes.device != device:
            raise ValueError(
                f"image {index}: predictions are on {device}, its target on {target.boxes.device}"
            )
    counts = tuple(len(t) for t in targets)
    image = torch.zeros(sum(counts), dtype=torch.int64, device=device)
    if len(counts) > 1:
        image = torch.arange(len(counts), device=device).repeat_interleave(
            to_device(counts, device), output_size=sum(counts)
        )
    quality = preds.quality_logits
    return FlatBatch(
        boxes=preds.boxes.detach().reshape(-1, 4).float(),
        logits=preds.cls_logits.detach().flatten(0, 1),
        quality=None if quality is None else quality.detach().reshape(-1),
        points=preds.points,
        num_images=preds.batch_size,
        gt_boxes=torch.cat([t.boxes for t in targets]).float(),
        gt_labels=torch.cat([t.labels for t in targets]),
        gt_image=image,
        counts=counts,
        ignored=_ignored_points(preds.boxes.detach().float(), targets),
    )


def _ignored_points(boxes: Tensor, targets: Sequence[Target]) -> Tensor | None:
    """Return ``[N]`` bool, or ``None`` where no image has an ignore box."""
    counts = [len(t.ignore_boxes) for t in targets]
    if not any(counts):
        return None
    image = to_device([b for b, n in enumerate(counts) for _ in range(n)], boxes.device)
    regions = torch.cat([t.ignore_boxes for t in targets]).float()[:, None]
    mine = boxes[image]
    corner = torch.maximum(mine[..., :2], regions[..., :2])
    overlap = (torch.minimum(mine[..., 2:], regions[..., 2:]) - corner).clamp(min=0).prod(dim=-1)
    inside = (overlap > IGNORE_OVERLAP * area(mine)).to(torch.int32)
    hits = torch.zeros(boxes.shape[:2], dtype=torch.int32, device=boxes.device)
    return hits.index_add_(0, image, inside).flatten() > 0


def has_nonfinite(preds: Predictions) -> Tensor:
    """Return a scalar bool on the device: a sum over all predictions is not finite.

    Costs one pass over them; :func:`check_finite` then finds the field and the image.
    """
    total = preds.boxes.detach().sum(dtype=torch.float32)
    total = total + preds.cls_logits.detach().sum(dtype=torch.float32)
    if preds.quality_logits is not None:
        total = total + preds.quality_logits.detach().sum(dtype=torch.float32)
    return total - total != 0  # NaN or infinity less itself is NaN


def check_finite(preds: Predictions) -> None:
    """Raise where a prediction is NaN or infinite.

    Raises:
        NonFiniteError: names the field and the image.
    """
    fields = {
        "boxes": preds.boxes,
        "cls_logits": preds.cls_logits,
        "quality_logits": preds.quality_logits,
    }
    for name, value in fields.items():
        if value is None:
            continue
        good = torch.isfinite(value.detach()).flatten(1).all(dim=1).tolist()
        if not all(good):
            image = good.index(False)
            bad = value.detach()[image]
            count = int((~torch.isfinite(bad)).sum())
            raise NonFiniteError(
                f"image {image} of the batch: Predictions.{name} holds {count} of {bad.numel()} "
                "values that are NaN or infinite; nothing can be assigned from them"
            )
