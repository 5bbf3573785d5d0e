"""Overlapping objects of a data set, all pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otadet.boxes import intersection
from otadet.data.annotation_table import Floats, Ints
from otadet.doctor.objects import Objects

LEAST = 0.4
"""Smallest IoU of a pair that is kept; no NMS threshold in use is lower."""

FEW = 5_000_000
MOST_COMPARED, MOST_KEPT = 200, 8
"""Pairs an object, beyond the first :data:`FEW` of a split, that are compared and kept."""


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Overlapping objects of the same image.

    Attributes:
        largest: ``[G]`` largest IoU of an object with any other of its image.
        first: ``[P]`` one of each pair with an IoU of at least :data:`LEAST`.
        second: ``[P]`` the other.
        iou: ``[P]``.
        complete: whether all pairs were compared, and not only the nearest of each object.
    """

    largest: Floats
    first: Ints
    second: Ints
    iou: Floats
    complete: bool = True


def find_overlaps(objects: Objects) -> Overlaps:
    """Find all pairs of objects of one image that overlap.

    Objects are sorted by image and left side. The partners of each then follow it without a gap,
    up to the first that begins beyond its right side, so the loop over the distance in that order
    has as many steps as the longest such run, each over all that are left. It ends early in a heap
    of thousands of boxes, whose pairs would fill the memory.
    """
    count = len(objects.rows)
    order = np.lexsort((objects.boxes[:, 0], objects.image))
    boxes, image = objects.boxes[order], objects.image[order]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    largest = np.zeros(count)
    kept: list[tuple[Ints, Ints, Floats]] = []
    left = np.arange(count)
    compared, held, complete = 0, 0, True
    for step in range(1, count):
        left = left[left + step < count]
        right = left + step
        near = (image[left] == image[right]) & (boxes[right, 0] < boxes[left, 2])
        left, right = left[near], right[near]
        if not len(left):
            break
        compared += len(left)
        if compared > FEW + MOST_COMPARED * count or held > FEW + MOST_KEPT * count:
            complete = False
            break
        both = intersection(boxes[left], boxes[right])
        iou = both / (area[left] + area[right] - both)
        largest[left] = np.maximum(largest[left], iou)  # each index once a step
        largest[right] = np.maximum(largest[right], iou)
        much = iou >= LEAST
        kept.append((left[much], right[much], iou[much]))
        held += len(kept[-1][0])
    back = np.empty(count)
    back[order] = largest
    if not kept:
        none = np.zeros(0, np.int64)
        return Overlaps(back, none, none, np.zeros(0))
    first, second, iou = (np.concatenate(column) for column in zip(*kept))
    return Overlaps(back, order[first], order[second], iou, complete)


def suppressed_by_nms(objects: Objects, overlaps: Overlaps, threshold: float) -> Ints:
    """Return indices of objects that hard NMS suppresses if each is detected with its exact box.

    Larger objects have the higher score here. Only pairs of one class count, as in NMS.
    """
    close = (overlaps.iou > threshold) & (
        objects.labels[overlaps.first] == objects.labels[overlaps.second]
    )
    area = np.prod(objects.boxes[:, 2:] - objects.boxes[:, :2], axis=1)
    rank = np.empty(len(area), np.int64)
    rank[np.argsort(-area, kind="stable")] = np.arange(len(area))
    one, other = overlaps.first[close], overlaps.second[close]
    best = np.where(rank[one] < rank[other], one, other)
    worse = np.where(rank[one] < rank[other], other, one)
    dropped: set[int] = set()
    for index in np.argsort(rank[best], kind="stable").tolist():  # such pairs are few
        if int(best[index]) not in dropped:
            dropped.add(int(worse[index]))
    return np.array(sorted(dropped), np.int64)
