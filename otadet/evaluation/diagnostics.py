"""Diagnostics of an evaluation: the usual reasons of an AP near 0, caps, missing images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from otadet.boxes import pairwise_iou
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

NEAR_ZERO = 0.01
"""AP below which reasons are looked for."""

_LOW_SCORE = 0.05
_FEW_IMAGES = 64  # images whose geometry is checked


def explain_low_ap(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> list[str]:
    """Give reasons of an AP near 0, a sentence each; empty where no known one applies."""
    if not sum(len(gt) for gt in gts):
        return ["the ground truth has no object: nothing can be found"]
    if not len(detections.scores):
        return ["there are no detections at all (score threshold too high, or nothing learned yet)"]
    notes = [_classes(gts, class_names, detections), _scores(detections)]
    notes += _places(gts, detections)
    return [note for note in notes if note]


def caps(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns, cap: int
) -> list[str]:
    """Report objects and detections beyond ``cap`` an image and class, a sentence each.

    So are crowded images whose detections postprocessing cut at ``cap``.
    """
    notes: list[str] = []
    image = np.repeat(np.arange(len(detections.counts)), detections.counts)
    key = image * len(class_names) + detections.labels
    beyond = int((np.unique(key, return_counts=True)[1] > cap).sum())
    if beyond:
        notes.append(
            f"the cap of {cap} detections an image and class was hit {beyond} times: those of "
            "lower score did not count"
        )
    # What a postprocess with this cap leaves; where objects are few it costs nothing.
    crowded = [gt.image_id for gt in gts if 2 * len(gt) >= cap]
    full = int(np.isin(detections.image_ids[detections.counts == cap], crowded).sum())
    if full:
        notes.append(
            f"{full} of {len(gts)} images have {cap} detections, as many as max_detections "
            "keeps, and at least half as many objects: some may have been cut off"
        )
    most, where = max(
        ((int(np.bincount(gt.labels).max()), gt) for gt in gts if len(gt.labels)),
        key=lambda pair: pair[0],
        default=(0, None),
    )
    if where is not None and most > cap:
        notes.append(
            f"image id {where.image_id} has {most} objects of one class, but only {cap} "
            "detections an image and class count: full recall is out of reach"
        )
    return notes


def coverage(gts: Sequence[GroundTruth], detections: DetectionColumns) -> list[str]:
    """Report images without an update of the evaluator."""
    missing = len(gts) - len(detections.image_ids)
    if missing <= 0:
        return []
    return [f"{missing} of {len(gts)} images were never evaluated; their objects count as missed"]


def _classes(
    gts: Sequence[GroundTruth], class_names: Sequence[str], detections: DetectionColumns
) -> str:
    wanted = np.unique(np.concatenate([gt.labels for gt in gts]))
    found = np.unique(detections.labels)
    if np.isin(found, wanted).any():
        return ""
    return (
        "no detection shares a class with the ground truth: detected "
        f"{_names(found, class_names)}, the "
        f"ground truth has {_names(wanted, class_names)} (other class order or ids?)"
    )


def _names(labels: npt.NDArray[np.int64], class_names: Sequence[str]) -> str:
    names = [class_names[label] for label in labels[:5]]
    return ", ".join(names) + (", ..." if len(labels) > 5 else "")


def _scores(detections: DetectionColumns) -> str:
    best = float(detections.scores.max())
    if best >= _LOW_SCORE:
        return ""
    return f"all scores are under {_LOW_SCORE} (the highest is {best:.4f}): hardly anything learned"


def _places(gts: Sequence[GroundTruth], detections: DetectionColumns) -> list[str]:
    """Boxes outside their images, and boxes that overlap no object of any class."""
    ends = np.cumsum(detections.counts)
    place = {
        image_id: slice(end - count, end)
        for image_id, count, end in zip(
            detections.image_ids.tolist(), detections.counts.tolist(), ends.tolist()
        )
    }
    outside = total = 0
    best: list[float] = []
    sizes: list[tuple[float, float]] = []
    for gt in gts:
        boxes = detections.boxes[place.get(gt.image_id, slice(0))]
        height, width = gt.size
        limit = np.array([width, height, width, height], np.float32)
        outside += int(((boxes < -1) | (boxes > limit + 1)).any(axis=1).sum())
        total += len(boxes)
        if len(boxes) and len(gt) and len(best) < _FEW_IMAGES:
            iou = pairwise_iou(torch.from_numpy(boxes), torch.from_numpy(gt.boxes))
            best.append(float(iou.max()))
            sizes.append((_side(boxes), _side(gt.boxes)))
    notes: list[str] = []
    if outside:
        notes.append(
            f"{outside} of {total} boxes leave their image (boxes of the network's input frame "
            "that were not mapped back?)"
        )
    if best and float(np.mean(best)) < 0.5:
        mine, theirs = np.median(np.array(sizes), axis=0)
        notes.append(
            f"boxes fit no object even when classes are ignored: the best IoU of an image is "
            f"{np.mean(best):.2f} on average, the median box {mine:.0f} px wide and high, the "
            f"median object {theirs:.0f} px (a wrong scale or frame, or too early?)"
        )
    return notes


def _side(boxes: npt.NDArray[np.float32]) -> float:
    """Median of the square roots of the areas, pixels."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return float(np.median(np.sqrt(sides.prod(axis=1))))
