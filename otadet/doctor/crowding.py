"""Crowding: the share of anchor points that several objects could claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from otadet.assign import ClosestPerLevel
from otadet.assign.flat_batch import FlatBatch
from otadet.data.annotation_table import Floats, Ints
from otadet.data.records import Records
from otadet.doctor.config import InputFrame
from otadet.doctor.objects import Objects
from otadet.points import grid_points
from otadet.types import GridLevel, GroundTruth

RADII = (3, 5, 7)
"""Of the paper's Table 2."""

SPARSE, CROWDED = 0.12, 0.36
"""Shares of contested points at r = 5 below and above which the advice changes; docs/doctor.md
states their source."""

_SAMPLED = 500  # images; they give the share to about a hundredth
_CHUNK = 64


@dataclass(frozen=True)
class Crowding:
    """Contested points of the images with objects, at the network's input size and strides.

    Attributes:
        pictures: number of images measured, spread evenly over the split.
        contested: by r, the share of the points which are among the r^2 closest of any object on
            a level that are so for two or more objects.
        contested_points: by r, mean number of such points an image.
    """

    pictures: int
    contested: dict[int, float]
    contested_points: dict[int, float]

    @property
    def advice(self) -> str:
        """What the share at r = 5 means for the choice of the assigner."""
        share = self.contested[5]
        if share < SPARSE:
            return (
                f"sparse ({share:.0%} of the points at r = 5 are contested): OTA gains little over "
                "SimOTA here; take the faster or better tuned one"
            )
        if share < CROWDED:
            return (
                f"ordinary ({share:.0%} contested at r = 5; COCO at 800 px has 24 %): "
                "compare OTA and SimOTA"
            )
        return (
            f"crowded ({share:.0%} contested at r = 5): here methods differ most; compare "
            "SimOTA with ota_short (docs/results.md), and look at nms_threshold and "
            "max_detections"
        )


def measure_crowding(records: Records, objects: Objects, config: InputFrame) -> Crowding | None:
    """Measure the shares of contested points; ``None`` without objects."""
    image, boxes = _sampled(records, objects, config)
    if not len(image):
        return None
    total = int(image[-1]) + 1
    counts = {r: contested_points(config, image, boxes, total, r) for r in RADII}
    return Crowding(
        total,
        {r: float(contested.sum() / claimed.sum()) for r, (claimed, contested) in counts.items()},
        {r: float(contested.mean()) for r, (_, contested) in counts.items()},
    )


def contested_points(
    frame: InputFrame, image: Ints, boxes: torch.Tensor, total: int, r: int = 5
) -> tuple[Ints, Ints]:
    """Count the points that objects could claim, whatever a network predicts.

    Args:
        frame: input size and strides.
        image: ``[G]`` rising image of each object.
        boxes: ``[G, 4]`` float32, input frame.
        total: number of images ``N``.
        r: a point is claimed by an object if it is among its r^2 closest of a level.

    Returns:
        ``[N]`` points that are claimed, and ``[N]`` points that two objects or more claim.
    """
    height, width = frame.canvas()
    points = grid_points([GridLevel(-(-height // s), -(-width // s), s) for s in frame.strides])
    claims = [np.zeros((0, 2), np.int64)]
    for start in range(0, total, _CHUNK):
        mine = slice(*np.searchsorted(image, (start, start + _CHUNK)))
        flat_batch = FlatBatch(
            boxes=torch.zeros((0, 4)), logits=torch.zeros((0, 1)), quality=None, points=points,
            num_images=_CHUNK, gt_boxes=boxes[mine], gt_labels=torch.zeros(0, dtype=torch.int64),
            gt_image=torch.from_numpy(image[mine] - start), counts=(), ignored=None,
        )  # fmt: skip
        point, valid = ClosestPerLevel(r).select(flat_batch)
        flat = (point + flat_batch.gt_image[:, None] * len(points))[valid]
        each = torch.bincount(flat, minlength=_CHUNK * len(points)).view(_CHUNK, -1)
        claims.append(torch.stack([(each > 0).sum(1), (each > 1).sum(1)], dim=1).numpy())
    counts = np.concatenate(claims)[:total]
    return counts[:, 0], counts[:, 1]


def contested_in(gts: Sequence[GroundTruth], frame: InputFrame) -> tuple[Ints, Ints]:
    """Count as :func:`contested_points` does, of images with their ground truth."""
    image = np.repeat(np.arange(len(gts)), [len(gt) for gt in gts])
    sizes = np.array([gt.size for gt in gts], np.float64).reshape(-1, 2)
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(gt.boxes for gt in gts)])
    scaled = torch.from_numpy((boxes * frame.zoom(sizes)[image, None]).astype(np.float32))
    return contested_points(frame, image, scaled, len(gts))


def _sampled(records: Records, objects: Objects, config: InputFrame) -> tuple[Ints, torch.Tensor]:
    """Image (numbered anew, rising) and box, input frame, of the objects of the sampled images."""
    full = np.flatnonzero(objects.counts)
    if len(full) > _SAMPLED:
        full = full[np.linspace(0, len(full) - 1, _SAMPLED).round().astype(np.int64)]
    new = np.full(len(records), -1, np.int64)
    new[full] = np.arange(len(full))
    image = new[objects.image]
    taken = image >= 0
    zoom: Floats = config.zoom(records.sizes[objects.image[taken]])
    boxes = objects.boxes[taken] * zoom[:, None]
    return image[taken], torch.from_numpy(boxes.astype(np.float32))
