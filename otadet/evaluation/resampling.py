"""COCO's AP of a data set whose images are drawn anew, from one matching.

Images are matched one by one, so a resample changes only how often the outcome of each counts. A
resample is a row of weights: how many times each image was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from otadet.evaluation.backends import IOU_THRESHOLDS
from otadet.evaluation.flat import Bools, Flat, Floats, Ints
from otadet.evaluation.matching import FREE, coco_pairs, match_coco

Counts = npt.NDArray[np.floating[Any]]

RECALLS: Floats = np.linspace(0, 1, 101)
RESAMPLES = 1000
"""Resamples of an interval; its ends are then known to about a twentieth of its width."""

_CELLS = 1_000_000  # resamples times detections at a time, so that they stay in the cache


class _Column(NamedTuple):
    """Matching of one class at one IoU threshold.

    Attributes:
        hits: ``[P]`` places of the true positives among all ranked detections.
        images: ``[P]`` their images.
        skipped: ``[M]`` images of the detections that do not count, by rank.
        skipped_before: ``[P]`` how many of them come before each hit.
    """

    hits: Ints
    images: Ints
    skipped: Ints
    skipped_before: Ints


@dataclass(frozen=True, eq=False)
class RankedMatches:
    """Matching of a whole data set, ranked by class and falling score.

    Attributes:
        image: ``[K]`` image of each detection.
        starts: ``[C]`` place of the first detection of each class.
        columns: ``[C][10]`` by class and IoU threshold.
        objects: ``[N, C]`` objects of each image and class.
    """

    image: Ints
    starts: Ints
    columns: tuple[tuple[_Column, ...], ...]
    objects: Ints

    @staticmethod
    def of(flat: Flat, wanted: Bools | None = None) -> RankedMatches:
        """Match once at each of COCO's IoU thresholds.

        Args:
            flat: ground truth and detections.
            wanted: ``[G]`` the objects that AP is of. Detections matched with others do not count;
                unmatched ones do. By default all objects.
        """
        wanted = np.ones(flat.objects.size, np.bool_) if wanted is None else wanted
        order = flat.by_class_and_score
        image = flat.detections.image[order]
        ends = np.searchsorted(flat.detections.labels[order], np.arange(flat.num_classes + 1))
        pairs = coco_pairs(flat, float(IOU_THRESHOLDS[0]))
        columns: list[list[_Column]] = [[] for _ in range(flat.num_classes)]
        for least in IOU_THRESHOLDS.tolist():
            taken, counts = match_coco(flat, least, pairs)
            taken, counts = taken[order], counts[order]
            mine = np.append(wanted, True)[taken]
            hit, skip = (taken != FREE) & mine, ~counts | ~mine
            for column, first, last in zip(columns, ends[:-1].tolist(), ends[1:].tolist()):
                column.append(_column(hit, skip, image, first, last))
        objects = np.zeros((flat.num_images, flat.num_classes), np.int64)
        np.add.at(objects, (flat.objects.image[wanted], flat.objects.labels[wanted]), 1)
        return RankedMatches(image, ends[:-1], tuple(map(tuple, columns)), objects)

    def ap(self, weights: Ints) -> Floats:
        """Compute AP of every resample.

        It is COCO's: the mean over IoU 0.50 to 0.95 and over the classes that have objects in the
        resample. Copies of an image stand next to each other where scores are equal.

        Args:
            weights: ``[B, N]`` int64 how many times each image was drawn.

        Returns:
            ``[B]`` AP; NaN for a resample without objects.
        """
        size = max(1, _CELLS // max(len(self.image), 1))
        # float32 counts exactly up to 2^24; no image is drawn a hundred times.
        counts: Counts = weights.astype(np.float64 if 100 * len(self.image) > 2**24 else np.float32)
        parts = [self._ap(counts[i : i + size]) for i in range(0, len(weights), size)]
        return np.concatenate([np.zeros(0), *parts])

    def _ap(self, weights: Counts) -> Floats:
        seen = _cumulative(weights, self.image)
        objects = weights.astype(np.int64) @ self.objects
        found = np.full(objects.shape, np.nan)
        for label, columns in enumerate(self.columns):
            needed = _needed(np.maximum(objects[:, label], 1)).astype(weights.dtype)
            start = seen[:, self.starts[label], None]
            aps = [_column_ap(each, weights, seen, needed, start) for each in columns]
            found[:, label] = np.where(objects[:, label], np.mean(aps, axis=0), np.nan)
        defined = np.isfinite(found)
        total = np.where(defined, found, 0).sum(axis=1)
        mean: Floats = np.divide(
            total, defined.sum(axis=1), out=np.full(len(total), np.nan), where=defined.any(axis=1)
        )
        return mean


def ap_interval(flat: Flat, times: int = RESAMPLES) -> tuple[float, float]:
    """Return the 95 % interval of AP over the images, which are drawn anew; 0, 0 without any."""
    if not flat.num_images:
        return 0.0, 0.0
    values = RankedMatches.of(flat).ap(resample_images(flat.num_images, times))
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 0.0
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def resample_images(num_images: int, times: int, seed: int = 0) -> Ints:
    """Draw images with replacement: ``[times, num_images]`` how often each was drawn."""
    draw = np.random.default_rng(seed)
    return draw.multinomial(num_images, np.full(num_images, 1 / num_images), times)


def _column(hit: Bools, skip: Bools, image: Ints, first: int, last: int) -> _Column:
    hits, skipped = (first + np.flatnonzero(each[first:last]) for each in (hit, skip))
    return _Column(hits, image[hits], image[skipped], np.searchsorted(skipped, hits))


def _cumulative(weights: Counts, image: Ints) -> Counts:
    """Return ``[B, K + 1]`` how many detections come before each place, copies included."""
    sums = np.zeros((len(weights), len(image) + 1), weights.dtype)
    np.cumsum(np.take(weights, image, axis=1), axis=1, out=sums[:, 1:])
    return sums


def _needed(objects: Ints) -> Ints:
    """Return ``[B, 101]`` smallest number of true positives that reaches each recall.

    In the arithmetic of COCO's code, which compares quotients in floating point.
    """
    total = objects[:, None]
    count = np.ceil(RECALLS * total).astype(np.int64)
    count -= (count > 0) & ((count - 1) / total >= RECALLS)
    return count + (count / total < RECALLS)


def _column_ap(
    column: _Column, weights: Counts, seen: Counts, needed: Counts, start: Counts
) -> Floats:
    """Compute ``[B]`` AP of a class at one IoU threshold, from its true positives alone.

    Precision rises at a true positive and falls in between, so the largest precision at a recall
    or beyond is reached at one of them.
    """
    mine = np.take(weights, column.images, axis=1)
    tp = np.cumsum(mine, axis=1)
    counted = np.take(seen, column.hits, axis=1)
    counted += mine - start
    if len(column.skipped):
        skipped = _cumulative(weights, column.skipped)
        counted -= np.take(skipped, column.skipped_before, axis=1)
    rows, width = len(tp), tp.shape[1] + 1
    precision = np.zeros((rows, width), weights.dtype)  # 0 where a recall is not reached
    np.divide(tp, np.maximum(counted, 1), out=precision[:, :-1])
    place = np.stack([np.searchsorted(row, need) for row, need in zip(tp, needed)])
    place += width * np.arange(rows)[:, None]
    between = np.maximum.reduceat(precision.ravel(), place.ravel()).reshape(place.shape)
    best = np.maximum.accumulate(between[:, ::-1], axis=1)
    ap: Floats = best.mean(axis=1, dtype=np.float64)
    return ap
