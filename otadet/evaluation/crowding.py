"""COCO's AP and recall by crowding: of objects that others overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otadet.evaluation.backends import IOU_THRESHOLDS
from otadet.evaluation.flat import BoxTable, Flat, Floats, Ints, overlapping
from otadet.evaluation.matching import coco_ap, coco_pairs, match_coco, rank_classes
from otadet.evaluation.result import Evaluation, Table, cell, mean_defined
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

LIMITS = (0.0, 0.2, 0.4, 0.6)
"""Upper ends of all bins but the last, which ends at 1."""

BINS = ("0", "0-0.2", "0.2-0.4", "0.4-0.6", "0.6-1")
"""Largest IoU with another object of the class: none, (0, 0.2], (0.2, 0.4], (0.4, 0.6], more."""

NAMES = tuple(f"{kind}_crowd_{name}" for kind in ("AP", "AR") for name in BINS)


def crowding(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> Evaluation:
    """Compute AP and recall by bin of crowding; -1 for a bin without objects.

    Both are means over IoU 0.50 to 0.95 and over the classes with objects in the bin. The matching
    is that of AP over all objects. Detections matched with an object of another bin are left out;
    unmatched ones are false positives of every bin, so that the AP of a bin with few objects is
    low: compare it between detectors, and recalls between bins.
    """
    flat = Flat.of(gts, len(class_names), detections)
    bins = np.searchsorted(LIMITS, neighbour_iou(flat.objects))
    ap = np.full((len(BINS), len(IOU_THRESHOLDS), flat.num_classes), -1.0)
    ar = ap.copy()
    pairs = coco_pairs(flat, float(IOU_THRESHOLDS[0]))
    totals = np.zeros((len(BINS), flat.num_classes), np.int64)
    np.add.at(totals, (bins, flat.objects.labels), 1)
    for column, least in enumerate(IOU_THRESHOLDS.tolist()):
        taken, counts = match_coco(flat, least, pairs)
        # A matched detection belongs to the bin of its object, an unmatched one to every bin.
        bin_of = np.where(taken >= 0, np.append(bins, -1)[taken], -1)
        for row in range(len(BINS)):
            mine = counts & ((bin_of == row) | (bin_of < 0))
            for label, ranked in enumerate(rank_classes(flat, taken >= 0, mine, totals[row])):
                ap[row, column, label] = coco_ap(ranked)
                ar[row, column, label] = ranked.final_recall
    means = {
        f"{kind}_crowd_{name}": mean_defined(values[row].ravel().tolist())
        for kind, values in (("AP", ap), ("AR", ar))
        for row, name in enumerate(BINS)
    }
    return Evaluation(means, (), (), (_table(means, totals),))


def neighbour_iou(objects: BoxTable) -> Floats:
    """Return ``[G]`` largest IoU of each object with another of its image and class, or 0."""
    pairs = overlapping(objects, objects, 0.0)
    labels = objects.labels
    pairs = pairs.at((pairs.first != pairs.second) & (labels[pairs.first] == labels[pairs.second]))
    largest = np.zeros(objects.size)
    np.maximum.at(largest, pairs.first, pairs.iou)
    return largest


def _table(means: dict[str, float], totals: Ints) -> Table:
    rows = zip(BINS, totals.sum(axis=1).tolist())
    return Table(
        "by crowding",
        ("largest IoU with a neighbour", "AP", "AR", "objects"),
        tuple(
            (name, cell(means[f"AP_crowd_{name}"]), cell(means[f"AR_crowd_{name}"]), str(count))
            for name, count in rows
        ),
    )
