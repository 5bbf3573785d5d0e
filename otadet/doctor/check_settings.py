"""Settings that do not fit the data: input size, anchors, NMS, and the number of detections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from otadet.assign import MaxIoU
from otadet.data.annotation_table import Floats, Ints
from otadet.data.findings import Finding, counted, found
from otadet.data.records import Records
from otadet.doctor.config import DoctorConfig
from otadet.doctor.objects import Objects
from otadet.doctor.overlaps import Overlaps, suppressed_by_nms
from otadet.doctor.statistics import Statistics
from otadet.tiling import SHRUNK

SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
"""Anchor sides that are tried, in strides."""

SMALL_OBJECT, SMALL_Q = 32.0, 5
"""Where the median object is narrower, in pixels of the input, no more IoUs should make an object's
k: they gain AP on objects of about 10 px (docs/results.md)."""

_LIKE = 8  # median number of objects from which an image with few of them is odd
_FEW = 0.25


def check_settings(
    records: Records,
    objects: Objects,
    overlaps: Overlaps,
    config: DoctorConfig,
    statistics: Statistics,
) -> list[Finding]:
    """Find settings that do not fit the objects of a split."""
    zoom = config.zoom(records.sizes[objects.image])
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]) * zoom[:, None]
    return [
        *_detections(records, objects.counts, config.max_detections),
        *_input_size(records, objects, sides.min(axis=1), config, statistics),
        *_anchors(records, objects, sides, config),
        *_many_points(records, objects, sides.min(axis=1), config),
        *_nms(records, objects, overlaps, config.nms_threshold),
        *_counts(records, objects.counts, config.drop_empty),
    ]


def _detections(records: Records, counts: Ints, most: int) -> list[Finding]:
    many = np.flatnonzero(counts > most)
    many = many[np.argsort(-counts[many], kind="stable")]
    text = f"more than max_detections={most} objects; the largest has {counts.max(initial=0)}"
    return found(
        "max-detections-low", "warning", records.split, many, text,
        lambda i: records.image_spot(i, counted(counts[i])),
    )  # fmt: skip


def _input_size(
    records: Records,
    objects: Objects,
    shorter: Floats,
    config: DoctorConfig,
    statistics: Statistics,
) -> list[Finding]:
    """``shorter [G]`` is the objects' shorter side at the input size."""
    stride = min(config.strides)
    small = np.flatnonzero(shorter < stride)
    if len(small) <= 0.1 * max(1, len(shorter)):
        return []
    size = "{} x {}".format(*config.input_size)
    text = (
        f"narrower than the finest stride, {stride} px, at the input size {size}: points may "
        f"miss them; 90 % would be wider at {statistics.input_side_for_90} px"
    )
    shrunk = 1 / float(np.median(config.zoom(records.sizes[objects.image[small]])))
    if shrunk > SHRUNK:
        text += f"; their images are shrunk {shrunk:.1f} times, tile=auto cuts them into tiles"
    small = small[np.argsort(shorter[small], kind="stable")]
    return found(
        "input-too-small", "warning" if len(small) > 0.25 * len(shorter) else "note",
        records.split, small, text,
        lambda i: records.box_spot(int(objects.rows[i]), f"{shorter[i]:.1f} px"),
    )  # fmt: skip


def _anchors(
    records: Records, objects: Objects, sides: Floats, config: DoctorConfig
) -> list[Finding]:
    """``sides [G, 2]`` are the objects' widths and heights at the input size."""
    scale = config.anchor_scale
    if scale is None or not len(sides):
        return []
    poor = np.flatnonzero(unmatched(sides, config.strides, scale))
    if len(poor) < 0.25 * len(sides):
        return []
    better = best_scale(sides, config.strides)
    left = int(unmatched(sides, config.strides, better).sum())
    if len(poor) < 1.5 * left:
        return []
    text = (
        f"match no anchor by an IoU of {MaxIoU.positive:g}: the smallest has "
        f"{scale * min(config.strides):g} px; anchor_scale={better:g} would leave {left}"
    )
    return found(
        "anchors-unfit", "warning", records.split, poor, text,
        lambda i: records.box_spot(int(objects.rows[i]), "{:.0f} x {:.0f} px".format(*sides[i])),
    )  # fmt: skip


def _many_points(
    records: Records, objects: Objects, shorter: Floats, config: DoctorConfig
) -> list[Finding]:
    """``shorter [G]`` is the objects' shorter side at the input size."""
    if config.q is None or config.q <= SMALL_Q or records.split != "train" or not len(shorter):
        return []
    median = float(np.median(shorter))
    if median >= SMALL_OBJECT:
        return []
    text = (
        f"narrower than {SMALL_OBJECT:g} px at the input size, the median object has {median:.0f}: "
        f"they learn faster with fewer points each, dynamic_q={SMALL_Q} in place of {config.q}"
    )
    return found(
        "points-many", "note", records.split, np.flatnonzero(shorter < SMALL_OBJECT), text,
        lambda i: records.box_spot(int(objects.rows[i]), f"{shorter[i]:.1f} px"),
    )  # fmt: skip


def unmatched(sides: Floats, strides: Sequence[int], scale: float) -> npt.NDArray[np.bool_]:
    """Return the objects ``[G]`` that no square anchor at their centre matches by RetinaNet's IoU.

    Args:
        sides: ``[G, 2]`` width and height of the objects, pixels of the input.
        strides: of the levels.
        scale: side of the anchors in strides.
    """
    anchors = scale * np.asarray(strides, np.float64)[:, None]
    width, height = sides[:, 0], sides[:, 1]
    common = np.minimum(anchors, width) * np.minimum(anchors, height)
    iou = common / (anchors**2 + width * height - common)
    return np.asarray(iou.max(axis=0) < MaxIoU.positive, np.bool_)


def best_scale(sides: Floats, strides: Sequence[int]) -> float:
    """Return the largest of :data:`SCALES` that leave the fewest objects unmatched."""
    return min(reversed(SCALES), key=lambda scale: int(unmatched(sides, strides, scale).sum()))


def _nms(
    records: Records, objects: Objects, overlaps: Overlaps, threshold: float | None
) -> list[Finding]:
    if threshold is None:
        return []
    dropped = suppressed_by_nms(objects, overlaps, threshold)
    count = len(objects.rows)
    if len(dropped) <= 0.002 * max(1, count):
        return []
    return found(
        "nms-merges", "warning" if len(dropped) > 0.01 * count else "note", records.split, dropped,
        f"objects that NMS at {threshold:g} suppresses although they are detected exactly",
        lambda i: records.box_spot(int(objects.rows[i]), f"IoU {overlaps.largest[i]:.2f}"),
    )  # fmt: skip


def _counts(records: Records, counts: Ints, drop_empty: bool) -> list[Finding]:
    """Images without objects, and with much fewer than the others."""
    text = "images without an object"
    if drop_empty and records.split == "train":
        text += ", left out by drop_empty"
    empty = np.flatnonzero(counts == 0)
    findings = found("picture-empty", "note", records.split, empty, text, records.image_spot)
    full = counts[counts > 0]
    median = float(np.median(full)) if len(full) else 0.0
    if median < _LIKE:
        return findings
    few = np.flatnonzero((counts > 0) & (counts < _FEW * median))
    few = few[np.argsort(counts[few], kind="stable")]
    text = f"fewer objects than a quarter of the median, {median:g} an image: a hint, no proof"
    return findings + found(
        "few-objects", "note", records.split, few, text,
        lambda i: records.image_spot(i, counted(counts[i])),
    )  # fmt: skip
