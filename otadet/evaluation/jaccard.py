"""CrowdHuman's Jaccard index: agreement of the set of detections with the set of objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from otadet.errors import InputError
from otadet.evaluation.flat import Bools, Flat, Floats, Ints, Pairs, share_inside

SCORES = tuple(i / 10 for i in range(10))
"""Score thresholds that are tried; a detection has to exceed one."""

_INSIDE = 0.5
_EPS = 1e-6  # of the official code


class JaccardIndex(NamedTuple):
    """The best index of a class.

    Attributes:
        value: 0 to 1, -1 where the class has no objects.
        score: the threshold at which it was reached.
    """

    value: float
    score: float


def require_scipy() -> None:
    """Check for scipy.

    Raises:
        InputError: scipy is not installed.
    """
    try:
        import scipy.optimize  # noqa: F401
    except ImportError as error:
        raise InputError(
            "metrics=crowdhuman: expected scipy for the Jaccard index, which is not installed: "
            "pip install 'otadet[exact]'"
        ) from error


def jaccard_index(flat: Flat, pairs: Pairs, inside: Bools) -> list[JaccardIndex]:
    """Compute the JI of every class.

    It is ``k / (m + n - k)`` of an image, the mean over the images that have an object or a
    detection, the largest over the score thresholds.

    ``k`` is the number of pairs in the matching of the largest sum of IoUs. An object or a
    detection without a partner that lies with more than half of its area in an ignore region is
    counted in neither ``m`` nor ``n``.

    Args:
        flat: ground truth and detections.
        pairs: detections and objects of the same image and class with an IoU above 0.5, by
            rising detection.
        inside: ``[K]`` detections that lie in an ignore region.
    """
    buried = share_inside(flat.objects, flat.regions) > _INSIDE
    cells = flat.num_images * flat.num_classes
    object_cell = flat.objects.image * flat.num_classes + flat.objects.labels
    detection_cell = flat.detections.image * flat.num_classes + flat.detections.labels
    matcher = _Matcher(pairs, detection_cell)
    has_objects = flat.objects_by_class() > 0
    means = np.full((len(SCORES), flat.num_classes), -1.0)
    for row, score in enumerate(SCORES):
        taking_part = flat.scores > np.float32(score)
        chosen = matcher.match(taking_part[pairs.first])
        matched, found = pairs.first[chosen], pairs.second[chosen]
        counts = taking_part & ~inside
        counts[matched] = True
        wanted = ~buried
        wanted[found] = True
        k, m, n = (
            np.bincount(index, minlength=cells).reshape(-1, flat.num_classes)
            for index in (detection_cell[matched], object_cell[wanted], detection_cell[counts])
        )
        means[row] = _mean_ratio(k, m, n)
    means[:, ~has_objects] = -1
    best = means.argmax(axis=0)
    return [
        JaccardIndex(float(means[row, label]), SCORES[row])
        for label, row in enumerate(best.tolist())
    ]


def _mean_ratio(k: Ints, m: Ints, n: Ints) -> Floats:
    """``[C]`` mean over the images ``[N, C]`` with objects or detections; 0 without any."""
    ratio: Floats = k / (m + n - k + _EPS)
    images = ((m > 0) | (n > 0)).sum(axis=0)
    mean: Floats = ratio.sum(axis=0) / np.maximum(images, 1)
    return mean


class _Matcher:
    """Matchings of the largest sum of IoUs, image by image and class by class.

    Args:
        pairs: by rising detection.
        cell: ``[K]`` number of each detection's image and class.
    """

    def __init__(self, pairs: Pairs, cell: Ints) -> None:
        order = np.argsort(cell[pairs.first], kind="stable")
        self._order = order
        self._pairs = pairs.at(order)
        self._cell = cell[self._pairs.first]

    def match(self, keep: Bools) -> Ints:
        """Return the indices of the matched pairs, among those to ``keep``."""
        mine = np.flatnonzero(keep[self._order])
        pairs = self._pairs.at(mine)
        contested = _contested(pairs, self._cell[mine])
        chosen = np.ones(len(mine), np.bool_)
        cuts = np.flatnonzero(np.diff(self._cell[mine], prepend=-1, append=-1))
        for start, end in zip(cuts[:-1].tolist(), cuts[1:].tolist()):
            if contested[start]:
                part = slice(start, end)
                chosen[part] = _largest_sum(pairs.at(part))
        return self._order[mine[chosen]]


def _contested(pairs: Pairs, cell: Ints) -> Bools:
    """``[P]`` whether any box of the pair's image and class has more than one partner."""
    shared = np.zeros(len(cell), np.bool_)
    for side in (pairs.first, pairs.second):
        _, index, counts = np.unique(side, return_inverse=True, return_counts=True)
        shared |= counts[index] > 1
    return np.isin(cell, cell[shared])


def _largest_sum(pairs: Pairs) -> Bools:
    """``[P]`` which pairs of an image and class are in the matching of the largest sum of IoUs."""
    from scipy.optimize import linear_sum_assignment

    # By rising detection, so equal ones are neighbours; an image's objects are neighbours too.
    row = np.cumsum(np.diff(pairs.first, prepend=pairs.first[0]) != 0)
    column = pairs.second - pairs.second.min()
    weight = np.zeros((row[-1] + 1, column.max() + 1))
    weight[row, column] = pairs.iou
    partner = np.full(len(weight), -1)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    partner[rows] = columns
    chosen: Bools = partner[row] == column
    return chosen
