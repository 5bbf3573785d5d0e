"""Operating points: precision, recall and F1 at every score threshold, and the confusion matrix.

One matching serves all: COCO's at an IoU of 0.5, that of AP50. It goes by falling score, so at a
higher threshold it is the same matching, cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otadet.evaluation.flat import Bools, Flat, Floats, Ints, overlapping
from otadet.evaluation.matching import (
    FREE,
    Ranked,
    coco_ap,
    coco_pairs,
    coco_precision,
    greedy,
    match_coco,
    preferred,
    rank_classes,
)
from otadet.evaluation.result import OperatingPoint, cut
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

THRESHOLDS: Floats = np.arange(100) / 100
"""Score thresholds of the sampled curves; a detection counts from its score on."""

_IOU = 0.5

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Curve:
    """Curves of one class, or of all together.

    Attributes:
        name: of the class.
        objects: number of objects.
        ap50: AP at an IoU of 0.5, -1 without objects.
        precision_at_recall: ``[101]`` largest precision at recalls of at least 0, 0.01 ... 1, whose
            mean is ``ap50``.
        tp, fp: ``[100]`` int64 at :data:`THRESHOLDS`.
        best_threshold: score threshold of the largest F1, 0 without detections.
        best_f1: the largest F1.
    """

    name: str
    objects: int
    ap50: float
    precision_at_recall: Floats
    tp: Ints
    fp: Ints
    best_threshold: float
    best_f1: float

    @property
    def precision(self) -> Floats:
        """``[100]`` at :data:`THRESHOLDS`, 0 where no detection is left."""
        share: Floats = self.tp / np.maximum(self.tp + self.fp, 1)
        return share

    @property
    def recall(self) -> Floats:
        """``[100]`` at :data:`THRESHOLDS`, 0 without objects."""
        return self.tp / max(self.objects, 1)

    @property
    def f1(self) -> Floats:
        """``[100]`` at :data:`THRESHOLDS`."""
        return _f1(self.tp, self.fp, self.objects)


@dataclass(frozen=True, eq=False)
class OperatingCurves:
    """Curves of all classes, and the confusion matrix at the best threshold.

    Attributes:
        total: all classes together: counts are summed, precisions at recalls and AP50 averaged
            over the classes that have objects.
        classes: one by class.
        threshold: that of the largest F1 of ``total``, from which on confusions are counted.
        confusion: ``[C + 1, C + 1]`` int64, row: class of the object, column: class of the
            detection; the last row counts detections without an object, the last column objects
            without a detection. A row sums to the objects of its class, a column to its detections
            that count; the diagonal holds AP50's true positives.
    """

    total: Curve
    classes: tuple[Curve, ...]
    threshold: float
    confusion: Ints

    @property
    def shown_threshold(self) -> float:
        """:attr:`threshold` cut to three digits."""
        return cut(self.threshold)

    @property
    def point(self) -> OperatingPoint | None:
        """Operating point of :attr:`threshold`; ``None`` where F1 is 0 everywhere."""
        return OperatingPoint.at(self.total.best_threshold, self.total.best_f1)


def best_operating_point(
    gts: Sequence[GroundTruth], num_classes: int, detections: DetectionColumns
) -> OperatingPoint | None:
    """Compute :attr:`OperatingCurves.point` only, without curves and confusion matrix.

    Args:
        gts: ground truth of every image.
        num_classes: labels are below this.
        detections: of those images.
    """
    flat = Flat.of(gts, num_classes, detections)
    if not flat.objects.size or not flat.detections.size:
        return None
    taken, counts = match_coco(flat, _IOU, coco_pairs(flat, _IOU))
    return OperatingPoint.at(*_best(*_pooled(flat, taken != FREE, counts)))


def operating_points(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> OperatingCurves:
    """Compute precision, recall and F1 by score threshold, and confusions at the largest F1.

    Args:
        gts: ground truth of every image.
        class_names: names of the class indices.
        detections: of those images.
    """
    flat = Flat.of(gts, len(class_names), detections)
    taken, counts = match_coco(flat, _IOU, coco_pairs(flat, _IOU))
    ranked = rank_classes(flat, taken != FREE, counts)
    order = flat.by_class_and_score
    order = order[counts[order]]
    ends = np.searchsorted(flat.detections.labels[order], np.arange(len(class_names) + 1))
    classes = tuple(
        _curve(name, flat.scores[order[ends[i] : ends[i + 1]]], ranked[i])
        for i, name in enumerate(class_names)
    )
    total = _total(flat, taken != FREE, counts, classes)
    confusion = _confusion(flat, taken, counts, total.best_threshold)
    return OperatingCurves(total, classes, total.best_threshold, confusion)


def _curve(name: str, scores: Scores, ranked: Ranked) -> Curve:
    """Curve of a class from its detections that count, by falling score."""
    # Detections of a score of 0.3 in float32 are left at a threshold of 0.3.
    left = np.searchsorted(-scores, -THRESHOLDS.astype(np.float32), side="right")
    tp, fp = (np.append(0, column)[left] for column in (ranked.tp, ranked.fp))
    threshold, best = _best(scores, ranked)
    precision = coco_precision(ranked) if ranked.total else np.zeros(101)
    return Curve(name, ranked.total, coco_ap(ranked), precision, tp, fp, threshold, best)


def _best(scores: Scores, ranked: Ranked) -> tuple[float, float]:
    """The score of the largest F1, and that F1; zeros without detections or objects."""
    if not len(scores) or not ranked.total:
        return 0.0, 0.0
    # A threshold cannot separate equal scores: only after the last of them can be cut.
    cuts = np.flatnonzero(np.diff(scores, append=-1))
    f1 = _f1(ranked.tp[cuts], ranked.fp[cuts], ranked.total)
    place = int(f1.argmax())
    return float(scores[cuts[place]]), float(f1[place])


def _pooled(flat: Flat, hit: Bools, counts: Bools) -> tuple[Scores, Ranked]:
    """Scores and cumulative counts of all classes together, by falling score."""
    order = np.argsort(-flat.scores, kind="stable")
    order = order[counts[order]]
    return flat.scores[order], Ranked.of(hit[order], flat.objects.size)


def _total(flat: Flat, hit: Bools, counts: Bools, classes: Sequence[Curve]) -> Curve:
    pooled = _curve("all", *_pooled(flat, hit, counts))
    known = [curve for curve in classes if curve.objects]
    return Curve(
        name="all",
        objects=pooled.objects,
        ap50=float(np.mean([curve.ap50 for curve in known])) if known else -1.0,
        precision_at_recall=np.mean([curve.precision_at_recall for curve in known], axis=0)
        if known else np.zeros(101),
        tp=pooled.tp,
        fp=pooled.fp,
        best_threshold=pooled.best_threshold,
        best_f1=pooled.best_f1,
    )  # fmt: skip


def _confusion(flat: Flat, taken: Ints, counts: Bools, threshold: float) -> Ints:
    """Compute :attr:`OperatingCurves.confusion`.

    Unmatched detections and objects of AP's matching are matched once more by the same rule,
    whatever their classes.
    """
    background = flat.num_classes
    shown = counts & (flat.scores >= np.float32(threshold))
    true_label = np.full(flat.detections.size, background)
    hit = shown & (taken != FREE)
    found = np.zeros(flat.objects.size, np.bool_)
    found[taken[hit]] = True
    pairs = overlapping(flat.detections, flat.objects, _IOU)
    pairs = pairs.at((shown & ~hit)[pairs.first] & ~found[pairs.second])
    second = greedy(preferred(pairs, last_of_equal=True), flat.detections.size, flat.objects.size)
    partner = np.where(hit, taken, second)
    known = partner != FREE
    true_label[known] = flat.objects.labels[partner[known]]
    found[second[second != FREE]] = True
    matrix = np.zeros((background + 1, background + 1), np.int64)
    np.add.at(matrix, (true_label[shown], flat.detections.labels[shown]), 1)
    matrix[:background, background] += np.bincount(
        flat.objects.labels[~found], minlength=background
    )
    return matrix


def _f1(tp: Ints, fp: Ints, objects: int) -> Floats:
    """``2 TP / (2 TP + FP + FN)``, where ``TP + FN`` are the objects."""
    f1: Floats = 2 * tp / np.maximum(tp + fp + objects, 1)
    return f1
