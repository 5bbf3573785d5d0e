"""Greedy matching of detections with objects, the rule of all benchmarks, without its loop.

By falling score, every detection takes the free object that it prefers. All objects so prefer the
same order of detections, and the greedy result is the one stable matching of the two sides. It is
found by deferred acceptance (Gale and Shapley 1962) instead: all detections of all images ask at
once, an object keeps the best that ever asked, and those turned away ask their next object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otadet.evaluation.flat import Bools, Flat, Floats, Ints, Pairs, overlapping

FREE = -1
"""Object index of an unmatched detection."""


def preferred(pairs: Pairs, last_of_equal: bool = False) -> Pairs:
    """Sort pairs by rising detection, and for each by falling IoU.

    Among equal IoUs the first object comes first, or the last one with ``last_of_equal``.
    """
    tie = -pairs.second if last_of_equal else pairs.second
    return pairs.at(np.lexsort((tie, -pairs.iou, pairs.first)))


def greedy(pairs: Pairs, num_detections: int, num_objects: int) -> Ints:
    """Match greedily: in the order of their indices, detections take their preferred free object.

    Args:
        pairs: objects that each detection may take, by rising detection, the preferred first.
        num_detections: ``K``; their order within an image is that of falling scores.
        num_objects: ``G``.

    Returns:
        ``[K]`` int64 object of each detection, :data:`FREE` for none.
    """
    nobody = num_detections
    holder = np.full(num_objects, nobody, np.int64)
    ask = np.searchsorted(pairs.first, np.arange(num_detections + 1))
    ask, end = ask[:-1].copy(), ask[1:]
    asking = np.flatnonzero(ask < end)
    while len(asking):
        wanted = pairs.second[ask[asking]]
        before = holder[wanted]
        np.minimum.at(holder, wanted, asking)
        after = holder[wanted]
        lost = np.unique(before[(before != after) & (before != nobody)])
        turned_away = np.concatenate([asking[after != asking], lost])
        ask[turned_away] += 1
        asking = turned_away[ask[turned_away] < end[turned_away]]
    taken = np.full(num_detections, FREE, np.int64)
    held = np.flatnonzero(holder != nobody)
    taken[holder[held]] = held
    return taken


def coco_pairs(flat: Flat, least: float) -> Pairs:
    """List the objects that a detection may take under COCO's rule, the preferred first.

    They have the same class and an IoU of at least ``least``; the largest IoU is preferred, and
    among equal ones the last object (as in pycocotools).
    """
    pairs = overlapping(flat.detections, flat.objects, least)
    same = flat.detections.labels[pairs.first] == flat.objects.labels[pairs.second]
    return preferred(pairs.at(same), last_of_equal=True)


def match_coco(flat: Flat, least: float, pairs: Pairs) -> tuple[Ints, Bools]:
    """Match by COCO's rule at one IoU threshold.

    By falling score, each detection takes its preferred free object. An unmatched one with a share
    of at least ``least`` of its own area in a crowd region does not count.

    Args:
        flat: ground truth and detections.
        least: IoU threshold.
        pairs: :func:`coco_pairs` of ``least`` or below.

    Returns:
        ``[K]`` int64 object of each detection or :data:`FREE`, and ``[K]`` bool: whether it counts.
    """
    taken = greedy(pairs.at(pairs.iou >= least), flat.detections.size, flat.objects.size)
    return taken, (taken != FREE) | (flat.inside < least)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Detections of one class over the whole data set by falling score, as cumulative counts.

    Attributes:
        tp: ``[N]`` true positives among the first detections.
        fp: ``[N]`` false positives among them.
        total: number of objects.
    """

    tp: Ints
    fp: Ints
    total: int

    @staticmethod
    def of(hit: Bools, total: int) -> Ranked:
        """Count hits; ``hit`` says whether each detection, by falling score, is matched."""
        tp = np.cumsum(hit, dtype=np.int64)
        return Ranked(tp, np.arange(1, len(hit) + 1) - tp, total)

    @property
    def recall(self) -> Floats:
        """``[N]`` recall of the first detections."""
        return self.tp / self.total

    @property
    def precision(self) -> Floats:
        """``[N]`` precision of the first detections."""
        return self.tp / (self.tp + self.fp)

    @property
    def final_recall(self) -> float:
        """Recall of all detections; -1 without objects."""
        if not self.total:
            return -1.0
        return float(self.tp[-1]) / self.total if len(self.tp) else 0.0


def rank_classes(flat: Flat, hit: Bools, counts: Bools, totals: Ints | None = None) -> list[Ranked]:
    """Rank the detections of each class by falling score; equal scores in the order of images.

    Args:
        flat: classes, scores and objects.
        hit: ``[K]`` matched detections.
        counts: ``[K]`` detections that count.
        totals: ``[C]`` objects of each class; by default all.
    """
    order = flat.by_class_and_score
    order = order[counts[order]]
    ends = np.searchsorted(flat.detections.labels[order], np.arange(flat.num_classes + 1))
    totals = flat.objects_by_class() if totals is None else totals
    return [
        Ranked.of(hit[order[ends[label] : ends[label + 1]]], total)
        for label, total in enumerate(totals.tolist())
    ]


def envelope(precision: Floats) -> Floats:
    """Return ``[N]`` largest precision at each place or beyond."""
    best: Floats = np.maximum.accumulate(precision[::-1])[::-1]
    return best


def coco_precision(ranked: Ranked) -> Floats:
    """Return ``[101]`` largest precision at recalls of at least 0, 0.01 ... 1."""
    reached = np.searchsorted(ranked.recall, np.linspace(0, 1, 101))
    return np.append(envelope(ranked.precision), 0.0)[reached]


def coco_ap(ranked: Ranked) -> float:
    """Return COCO's AP at one IoU: the mean of :func:`coco_precision`; -1 without objects."""
    return float(coco_precision(ranked).mean()) if ranked.total else -1.0
