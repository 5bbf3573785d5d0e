"""AP of objects by their size, in finer steps than COCO's small, medium and large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from otadet.evaluation.flat import Bools, Flat, Floats, Pairs
from otadet.evaluation.matching import FREE, coco_ap, coco_pairs, greedy, rank_classes
from otadet.evaluation.result import mean_defined
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

SIDES = (0.0, 8.0, 16.0, 32.0, 64.0, 96.0, 128.0, 256.0, 512.0, math.inf)
"""Edges of the bins, pixels of the image: square roots of areas. COCO's are 32 and 96."""

_IOUS = np.linspace(0.5, 0.95, 10)


@dataclass(frozen=True)
class SizeBin:
    """Objects of similar size.

    Attributes:
        low, high: square roots of the smallest area and of the first that is too large, pixels.
        objects: their number.
        AP: as COCO's APs, APm and APl; -1 without objects.
        AP50: likewise, at an IoU of 0.5.
    """

    low: float
    high: float
    objects: int
    AP: float
    AP50: float


def ap_by_size(
    gts: Sequence[GroundTruth],
    num_classes: int,
    detections: DetectionColumns,
    sides: Sequence[float] = SIDES,
) -> tuple[SizeBin, ...]:
    """Compute AP of the objects of each bin, by COCO's rule for areas.

    Objects of other bins and detections on them do not count, nor do unmatched detections of
    another size.

    Args:
        gts: ground truth of every image.
        num_classes: labels are below this.
        detections: of those images.
        sides: edges of the bins.
    """
    flat = Flat.of(gts, num_classes, detections)
    pairs = coco_pairs(flat, _IOUS[0])
    areas = np.concatenate([np.zeros(0), *(gt.areas for gt in gts)])
    return tuple(_bin(flat, pairs, areas, low, high) for low, high in pairwise(sides))


def _bin(flat: Flat, pairs: Pairs, areas: Floats, low: float, high: float) -> SizeBin:
    mine = (areas >= low**2) & (areas < high**2)
    if not mine.any():
        return SizeBin(low, high, 0, -1.0, -1.0)
    # Detections prefer objects that count; among these the order stays.
    pairs = pairs.at(np.lexsort((~mine[pairs.second], pairs.first)))
    aps = [_ap(flat, pairs.at(pairs.iou >= iou), mine, (low, high), iou) for iou in _IOUS]
    defined = [mean_defined(each) for each in aps]
    return SizeBin(low, high, int(mine.sum()), mean_defined(defined), defined[0])


def _ap(
    flat: Flat, pairs: Pairs, mine: Bools, sides: tuple[float, float], iou: float
) -> list[float]:
    """AP of each class at one IoU."""
    taken = greedy(pairs, flat.detections.size, flat.objects.size)
    found = taken != FREE
    hit = found & mine[taken]
    width_height = flat.detections.boxes[:, 2:] - flat.detections.boxes[:, :2]
    area = width_height.prod(axis=1)
    fits = (area >= sides[0] ** 2) & (area < sides[1] ** 2)
    counts = hit | (~found & fits & (flat.inside < iou))
    totals = np.bincount(flat.objects.labels[mine], minlength=flat.num_classes)
    return [coco_ap(ranked) for ranked in rank_classes(flat, hit, counts, totals)]
