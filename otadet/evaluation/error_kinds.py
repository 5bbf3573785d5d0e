"""Kinds of errors of a detector, and what each costs in AP50.

The kinds are those of TIDE (Bolya, Foley, Hays, Hoffman: "TIDE: A General Toolbox for Identifying
Object Detection Errors", ECCV 2020, https://arxiv.org/abs/2008.08115, section 2), with its IoU
thresholds of 0.5 (found) and 0.1 (background).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from otadet.evaluation.flat import Bools, Flat, Floats, Ints, Pairs, overlapping
from otadet.evaluation.matching import FREE, coco_ap, coco_pairs, match_coco, rank_classes
from otadet.evaluation.result import mean_defined
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

FOUND, BACKGROUND = 0.5, 0.1
"""IoU from which an object is found, and below which a detection is on background."""

MEANINGS = {
    "class": "on an object (IoU 0.5 or more) of another class",
    "location": "of the right class, IoU with the object 0.1 to 0.5",
    "both": "of a wrong class, IoU with the object 0.1 to 0.5",
    "duplicate": "on an object that a detection of higher score has found",
    "background": "on no object: IoU below 0.1 with all",
    "missed": "objects that no detection found, not even with the wrong class or place",
}
"""Meaning of every kind of error, in the order of :func:`error_kinds`."""

_NAMES = tuple(MEANINGS)
_CLASS, _LOCATION, _BOTH, _DUPLICATE, _BACKGROUND = range(5)
_NONE = -1


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error.

    Attributes:
        name: key of :data:`MEANINGS`.
        count: errors among the detections from the score threshold on; of ``missed``, objects.
        lost: by how much AP50 of all detections would rise if there were no such errors.
    """

    name: str
    count: int
    lost: float

    @property
    def meaning(self) -> str:
        """What counts as such an error."""
        return MEANINGS[self.name]


@dataclass(frozen=True, eq=False)
class _Errors:
    """Errors among some detections.

    Attributes:
        kind: ``[K]`` number of the kind, -1 for hits and detections that do not count.
        object: ``[K]`` the object that a class or location error is about.
        missed: ``[G]`` objects.
    """

    kind: Ints
    object: Ints
    missed: Bools


def error_kinds(
    gts: Sequence[GroundTruth], num_classes: int, detections: DetectionColumns, score: float
) -> tuple[ErrorKind, ...]:
    """Sort the errors into kinds.

    Where an object of the detection's class is near (IoU 0.1 to 0.5) the error is one of location,
    whatever else is near. A detection that is mended takes an object that no other has found; if
    there is none, it is dropped.

    Args:
        gts: ground truth of every image.
        num_classes: labels are below this.
        detections: of those images.
        score: threshold from which errors are counted.
    """
    flat = Flat.of(gts, num_classes, detections)
    taken, counts = match_coco(flat, FOUND, coco_pairs(flat, FOUND))
    near = overlapping(flat.detections, flat.objects, BACKGROUND)
    shown = _errors(flat, near, taken, counts & (flat.scores >= np.float32(score)))
    found = _errors(flat, near, taken, counts)
    lost = _lost(flat, found, taken, counts)
    numbers = [int((shown.kind == i).sum()) for i in range(5)] + [int(shown.missed.sum())]
    return tuple(ErrorKind(*row) for row in zip(_NAMES, numbers, lost))


def _errors(flat: Flat, near: Pairs, taken: Ints, shown: Bools) -> _Errors:
    wrong = shown & (taken == FREE)
    pairs = near.at(wrong[near.first])
    same = flat.detections.labels[pairs.first] == flat.objects.labels[pairs.second]
    right, right_iou = _nearest(pairs.at(same), len(taken))
    other, other_iou = _nearest(pairs.at(~same), len(taken))
    kind = np.full(len(taken), _NONE)
    kind[wrong] = _BOTH
    kind[wrong & (np.maximum(right_iou, other_iou) < BACKGROUND)] = _BACKGROUND
    kind[wrong & (right_iou >= FOUND)] = _DUPLICATE
    kind[wrong & (other_iou >= FOUND)] = _CLASS
    kind[wrong & (right_iou >= BACKGROUND) & (right_iou < FOUND)] = _LOCATION
    about = np.where(kind == _LOCATION, right, np.where(kind == _CLASS, other, FREE))
    missed = np.ones(flat.objects.size, np.bool_)
    missed[taken[shown & (taken != FREE)]] = False
    missed[about[about != FREE]] = False
    return _Errors(kind, about, missed)


def _nearest(pairs: Pairs, count: int) -> tuple[Ints, Floats]:
    """``[count]`` object of the largest IoU of each detection and that IoU, 0 without one."""
    order = np.lexsort((pairs.iou, pairs.first))  # the largest is written last
    nearest, iou = np.full(count, FREE), np.zeros(count)
    nearest[pairs.first[order]] = pairs.second[order]
    iou[pairs.first[order]] = pairs.iou[order]
    return nearest, iou


def _lost(flat: Flat, errors: _Errors, taken: Ints, counts: Bools) -> list[float]:
    """AP50 with each kind mended, less AP50 as it is."""
    if not flat.objects.size:
        return [0.0] * len(_NAMES)
    hit, totals = taken != FREE, flat.objects_by_class()
    before = _ap50(flat, hit, counts, totals)
    after = []
    for kind in range(5):
        mine = errors.kind == kind
        mended = mine & _first_of_free_objects(flat, errors.object, mine, taken)
        labels = np.where(mended, flat.objects.labels[errors.object], flat.detections.labels)
        changed = replace(flat, detections=flat.detections._replace(labels=labels))
        after.append(_ap50(changed, hit | mended, counts & (~mine | mended), totals))
    missed = np.bincount(flat.objects.labels[errors.missed], minlength=flat.num_classes)
    after.append(_ap50(flat, hit, counts, totals - missed))
    return [value - before for value in after]


def _first_of_free_objects(flat: Flat, about: Ints, mine: Bools, taken: Ints) -> Bools:
    """``[K]`` of the detections ``mine`` those of the highest score on objects nobody found."""
    free = np.ones(flat.objects.size, np.bool_)
    free[taken[taken != FREE]] = False
    able = np.flatnonzero(mine & (about != FREE))
    able = able[free[about[able]]]
    able = able[np.argsort(-flat.scores[able], kind="stable")]
    first = np.zeros(len(taken), np.bool_)
    first[able[np.unique(about[able], return_index=True)[1]]] = True
    return first


def _ap50(flat: Flat, hit: Bools, counts: Bools, totals: Ints) -> float:
    """Mean over the classes with objects; 0 without any."""
    mean = mean_defined([coco_ap(ranked) for ranked in rank_classes(flat, hit, counts, totals)])
    return max(mean, 0.0)
