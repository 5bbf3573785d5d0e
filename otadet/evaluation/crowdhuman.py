"""CrowdHuman's metrics: MR^-2, its AP, JI and recall.

The protocol is that of the data set's evaluation code as published with CrowdDet (Chu et al.,
CVPR 2020, github.com/xg-chu/CrowdDet, ``lib/evaluate``); Caltech's miss rate is Dollar et al.,
*Pedestrian Detection: An Evaluation of the State of the Art*, PAMI 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from otadet.evaluation import diagnostics
from otadet.evaluation.flat import Bools, Flat, Pairs, overlapping
from otadet.evaluation.jaccard import JaccardIndex, jaccard_index
from otadet.evaluation.matching import Ranked, greedy, preferred, rank_classes
from otadet.evaluation.result import Evaluation, Table, cell, mean_defined
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

NAMES = ("MR", "CrowdHumanAP", "JI", "CrowdHumanRecall")

FALSE_POSITIVES = (0.0100, 0.0178, 0.0316, 0.0562, 0.1000, 0.1778, 0.3162, 0.5623, 1.000)
"""False positives per image at which the miss rate is read: equal logarithmic steps, with the four
digits of the official code."""

_IOU = 0.5  # exceeded, not reached


class _ClassRow(NamedTuple):
    miss_rate: float
    ap: float
    recall: float
    ji: JaccardIndex


def crowdhuman(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> Evaluation:
    """Compute MR^-2, AP, JI and recall: means over the classes with objects; -1 without any.

    All boxes are clipped to the image, full-body boxes too. By falling score, each detection takes
    the free object of its class with the largest IoU above 0.5. An unmatched one with more than
    half of its own area in an ignore region does not count.
    """
    flat = Flat.of(gts, len(class_names), detections, clip=True)
    pairs, hit = match_caltech(flat)
    inside = flat.inside > _IOU
    ranked = rank_classes(flat, hit, hit | ~inside)
    index = jaccard_index(flat, pairs, inside)
    rows = [
        _ClassRow(miss_rate(each, flat.num_images), trapezoid_ap(each), each.final_recall, ji)
        for each, ji in zip(ranked, index)
    ]
    metrics = {
        "MR": mean_defined([row.miss_rate for row in rows]),
        "CrowdHumanAP": mean_defined([row.ap for row in rows]),
        "JI": mean_defined([row.ji.value for row in rows]),
        "CrowdHumanRecall": mean_defined([row.recall for row in rows]),
    }
    notes = diagnostics.coverage(gts, detections)
    return Evaluation(metrics, (), tuple(notes), (_table(class_names, rows, flat),))


def match_caltech(flat: Flat) -> tuple[Pairs, Bools]:
    """Match detections with objects.

    Returns:
        The pairs of one class and image with an IoU above 0.5, by rising detection, and ``[K]``
        bool: whether a detection is matched.
    """
    pairs = overlapping(flat.detections, flat.objects, _IOU)
    same = flat.detections.labels[pairs.first] == flat.objects.labels[pairs.second]
    pairs = preferred(pairs.at(same & (pairs.iou > _IOU)))
    return pairs, greedy(pairs, flat.detections.size, flat.objects.size) >= 0


def miss_rate(ranked: Ranked, num_images: int) -> float:
    """Compute MR^-2: the geometric mean of the miss rates at :data:`FALSE_POSITIVES`.

    Lower is better. A miss rate is read at the first detection whose false positives per image
    reach the point. Where the curve ends before it, the last miss rate is used (as in the official
    code), and 1 without detections. One miss rate of 0 makes the mean 0. -1 without objects.
    """
    if not ranked.total:
        return -1.0
    if not len(ranked.tp):
        return 1.0
    reached = np.searchsorted(ranked.fp / num_images, FALSE_POSITIVES)
    missed = 1 - ranked.recall[np.minimum(reached, len(ranked.tp) - 1)]
    if (missed <= 0).any():
        return 0.0
    return float(np.exp(np.log(missed).mean()))


def trapezoid_ap(ranked: Ranked) -> float:
    """Compute the area under precision over recall by trapezoids between successive detections.

    The area left of the first detection is not counted (as in the official code). -1 without
    objects.
    """
    if not ranked.total:
        return -1.0
    recall, precision = ranked.recall, ranked.precision
    return float((np.diff(recall) * (precision[1:] + precision[:-1])).sum() / 2)


def _table(class_names: Sequence[str], rows: Sequence[_ClassRow], flat: Flat) -> Table:
    headers = ("class", "MR", "AP", "JI", "at score", "recall", "objects", "detections")
    counts: list[tuple[int, int]] = list(
        zip(flat.objects_by_class().tolist(), flat.detections_by_class().tolist())
    )
    return Table(
        "CrowdHuman",
        headers,
        tuple(
            (name, cell(r.miss_rate), cell(r.ap), cell(r.ji.value), f"{r.ji.score:.1f}",
             cell(r.recall), str(objects), str(found))
            for name, r, (objects, found) in zip(class_names, rows, counts)
        ),
    )  # fmt: skip
