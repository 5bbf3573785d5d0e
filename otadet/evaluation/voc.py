"""PASCAL VOC's AP, of 2007 and of 2010 and later.

The development kit's ``VOCevaldet.m`` (Everingham et al., *The PASCAL Visual Object Classes
Challenge*, IJCV 2010, section 4.2). Its boxes are whole pixels, both ends included, hence its
``+ 1`` in every width. Boxes here are continuous: the pixels ``xmin`` to ``xmax`` of a VOC file
are ``xmin - 1`` to ``xmax``, whose width is the same number, so that no ``+ 1`` is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from otadet.evaluation import diagnostics
from otadet.evaluation.flat import Bools, Flat, Pairs, overlapping
from otadet.evaluation.matching import Ranked, envelope, greedy, rank_classes
from otadet.evaluation.result import Evaluation, Table, cell, mean_defined
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

_IOU = 0.5


def voc07(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> Evaluation:
    """Compute ``VOC07AP``: mean over classes with objects of the mean of eleven precisions."""
    return _measure(gts, class_names, detections, "VOC07", eleven_point_ap)


def voc10(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> Evaluation:
    """Compute ``VOC10AP``: mean over classes with objects of the area under the curve."""
    return _measure(gts, class_names, detections, "VOC10", area_ap)


def eleven_point_ap(ranked: Ranked) -> float:
    """Return the mean of the best precisions at recalls from 0, 0.1 ... 1; -1 without objects.

    Recalls are compared as whole numbers: 3 of 10 objects are a recall of 0.3.
    """
    if not ranked.total:
        return -1.0
    reached = np.searchsorted(10 * ranked.tp, np.arange(11) * ranked.total)
    return float(np.append(envelope(ranked.precision), 0.0)[reached].mean())


def area_ap(ranked: Ranked) -> float:
    """Return the area under the largest precision at each recall or beyond; -1 without objects."""
    if not ranked.total:
        return -1.0
    return float((np.diff(ranked.recall, prepend=0.0) * envelope(ranked.precision)).sum())


def match_voc(flat: Flat) -> tuple[Bools, Bools]:
    """Match detections with objects by VOC's rule.

    A detection may only take the object of its class that it overlaps most, by an IoU of at least
    0.5; if a better detection has it, it is a false positive, however near another object is.
    Where it overlaps an ignore region (a *difficult* object) most, it does not count.

    Returns:
        Two arrays ``[K]``: matched, counts.
    """
    objects = overlapping(flat.detections, flat.objects, _IOU)
    same = flat.detections.labels[objects.first] == flat.objects.labels[objects.second]
    objects = objects.at(same)
    regions = overlapping(flat.detections, flat.regions, _IOU)
    label = flat.regions.labels[regions.second]
    regions = regions.at((label < 0) | (label == flat.detections.labels[regions.first]))
    both = Pairs(
        np.concatenate([objects.first, regions.first]),
        np.concatenate([objects.second, regions.second + flat.objects.size]),
        np.concatenate([objects.iou, regions.iou]),
    )
    both = both.at(np.lexsort((both.second, -both.iou, both.first)))
    both = both.at(np.diff(both.first, prepend=-1) != 0)  # only the largest IoU
    difficult = both.second >= flat.objects.size
    counts = np.ones(flat.detections.size, np.bool_)
    counts[both.first[difficult]] = False
    taken = greedy(both.at(~difficult), flat.detections.size, flat.objects.size)
    return taken >= 0, counts


def _measure(
    gts: Sequence[GroundTruth],
    class_names: Sequence[str],
    detections: DetectionColumns,
    title: str,
    ap_of: Callable[[Ranked], float],
) -> Evaluation:
    flat = Flat.of(gts, len(class_names), detections)
    aps = [ap_of(ranked) for ranked in rank_classes(flat, *match_voc(flat))]
    rows = zip(class_names, aps, flat.objects_by_class().tolist(),
               flat.detections_by_class().tolist())  # fmt: skip
    table = Table(
        title,
        ("class", "AP", "objects", "detections"),
        tuple((name, cell(ap), str(objects), str(found)) for name, ap, objects, found in rows),
    )
    notes = diagnostics.coverage(gts, detections)
    return Evaluation({f"{title}AP": mean_defined(aps)}, (), tuple(notes), (table,))
