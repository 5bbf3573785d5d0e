"""What kind of data a split holds, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from otadet.assign import MaxIoU
from otadet.data.annotation_table import Floats, Ints
from otadet.doctor.anchor_fit import best_scale, unmet
from otadet.doctor.crowding import Crowding, measure_crowding
from otadet.doctor.draft import Draft, Objects
from otadet.doctor.findings import Finding, Severity, found
from otadet.doctor.pairs import Pairs, merged_by_nms
from otadet.doctor.subject import Subject

_QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
_LIKE = 8  # median of objects an image from which an image with few of them is odd
_FEW = 0.25


@dataclass(frozen=True)
class Portrait:
    """Numbers of a split; lists of five are the smallest, the 10 %, 50 % and 90 % quantiles and
    the largest.

    Attributes:
        pictures: entries.
        objects: usable ones.
        ignored: ignore regions.
        classes: objects by class.
        heights: pixels.
        widths: pixels.
        objects_a_picture: of all pictures.
        sides: square root of an object's area, pixels of the picture.
        input_sides: the same at the network's input size.
        neighbour_iou: largest IoU of an object with another one of its picture.
        overlapping: share of objects for which that is over 0.5.
        merged: objects that NMS would drop though found exactly; ``None`` for soft-NMS.
        input_side_for_90: smallest square input at which 90 % of the objects are as wide and high
            as the finest stride.
        crowding: points that several objects claim; ``None`` where it was not measured.
    """

    pictures: int
    objects: int
    ignored: int
    classes: dict[str, int]
    heights: list[float]
    widths: list[float]
    objects_a_picture: list[float]
    sides: list[float]
    input_sides: list[float]
    neighbour_iou: list[float]
    overlapping: float
    merged: int | None
    input_side_for_90: int | None
    crowding: Crowding | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def portray(
    draft: Draft, objects: Objects, pairs: Pairs, subject: Subject, crowds: bool
) -> tuple[Portrait, list[Finding]]:
    """The numbers, and what follows from them for the settings."""
    known = draft.sizes[np.isfinite(draft.sizes).all(axis=1)]
    sizes = draft.sizes[objects.image]
    box_sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
    sides = np.sqrt(np.prod(box_sides, axis=1))
    zoom = subject.zoom(sizes)
    threshold = subject.nms_threshold
    merged = None if threshold is None else merged_by_nms(objects, pairs, threshold)
    counts = np.bincount(objects.labels, minlength=len(draft.names)).tolist()
    portrait = Portrait(
        pictures=len(draft),
        objects=len(objects.rows),
        ignored=int(draft.ignored.sum()),
        classes=dict(zip(draft.names, counts)),
        heights=_quantiles(known[:, 0]),
        widths=_quantiles(known[:, 1]),
        objects_a_picture=_quantiles(objects.counts.astype(np.float64)),
        sides=_quantiles(sides),
        input_sides=_quantiles(sides * zoom),
        neighbour_iou=_quantiles(pairs.largest),
        overlapping=float((pairs.largest > 0.5).mean()) if len(pairs.largest) else 0.0,
        merged=None if merged is None else len(merged),
        input_side_for_90=_input_side(sizes, box_sides.min(axis=1), min(subject.strides)),
        crowding=measure_crowding(draft, objects, subject) if crowds else None,
    )
    findings = _settings(draft, objects, box_sides.min(axis=1) * zoom, subject, portrait)
    findings += _anchors(draft, objects, box_sides * zoom[:, None], subject)
    if merged is not None and len(merged) > 0.002 * max(1, portrait.objects):
        text = f"objects that NMS at {threshold:g} drops though they are found exactly"
        findings += found(
            "nms-merges", "warning" if len(merged) > 0.01 * portrait.objects else "note",
            draft.part, merged, text,
            lambda i: draft.box_spot(int(objects.rows[i]), f"IoU {pairs.largest[i]:.2f}"),
        )  # fmt: skip
    return portrait, findings + _pictures(draft, objects.counts, subject)


def _quantiles(values: Floats) -> list[float]:
    return np.quantile(values, _QUANTILES).round(3).tolist() if len(values) else []


def _input_side(sizes: Floats, shorter: Floats, stride: int) -> int | None:
    """Square letterbox side at which 90 % of the objects are at least ``stride`` wide and high."""
    if not len(shorter):
        return None
    wanted = np.quantile(stride * sizes.max(axis=1) / shorter, 0.9)
    return int(-(-wanted // 32) * 32)


def _settings(
    draft: Draft, objects: Objects, shorter: Floats, subject: Subject, portrait: Portrait
) -> list[Finding]:
    part, stride = draft.part, min(subject.strides)
    most = subject.max_detections
    many = np.flatnonzero(objects.counts > most)
    many = many[np.argsort(-objects.counts[many], kind="stable")]
    text = (
        f"more than max_detections={most} objects; the largest has {objects.counts.max(initial=0)}"
    )
    findings = found(
        "max-detections-low", "warning", part, many, text,
        lambda i: draft.picture_spot(i, f"{objects.counts[i]} objects"),
    )  # fmt: skip
    small = np.flatnonzero(shorter < stride)
    if len(small) > 0.1 * max(1, len(shorter)):
        size = "{} x {}".format(*subject.input_size)
        text = (
            f"narrower than the finest stride, {stride} px, at the input size {size}: points may "
            f"miss them; 90 % would be wider at {portrait.input_side_for_90} px"
        )
        severity: Severity = "warning" if len(small) > 0.25 * len(shorter) else "note"
        small = small[np.argsort(shorter[small], kind="stable")]
        findings += found(
            "input-too-small", severity, part, small, text,
            lambda i: draft.box_spot(int(objects.rows[i]), f"{shorter[i]:.1f} px"),
        )  # fmt: skip
    return findings


def _anchors(draft: Draft, objects: Objects, sides: Floats, subject: Subject) -> list[Finding]:
    """``sides`` are the objects' widths and heights on the input."""
    scale = subject.anchor_scale
    if scale is None or not len(sides):
        return []
    poor = np.flatnonzero(unmet(sides, subject.strides, scale))
    if len(poor) < 0.25 * len(sides):
        return []
    better = best_scale(sides, subject.strides)
    left = int(unmet(sides, subject.strides, better).sum())
    if len(poor) < 1.5 * left:
        return []
    text = (
        f"meet no anchor by an IoU of {MaxIoU.positive:g}: the smallest is of "
        f"{scale * min(subject.strides):g} px; anchor_scale={better:g} would leave {left}"
    )
    return found(
        "anchors-unfit", "warning", draft.part, poor, text,
        lambda i: draft.box_spot(
            int(objects.rows[i]), "{:.0f} x {:.0f} px".format(*sides[i])
        ),
    )  # fmt: skip


def _pictures(draft: Draft, counts: Ints, subject: Subject) -> list[Finding]:
    text = "pictures without an object"
    if subject.drop_empty and draft.part == "train":
        text += ", left out by drop_empty"
    empty = np.flatnonzero(counts == 0)
    findings = found("picture-empty", "note", draft.part, empty, text, draft.picture_spot)
    full = counts[counts > 0]
    median = float(np.median(full)) if len(full) else 0.0
    if median < _LIKE:
        return findings
    few = np.flatnonzero((counts > 0) & (counts < _FEW * median))
    few = few[np.argsort(counts[few], kind="stable")]
    text = f"fewer objects than a quarter of the median, {median:g} an image: a hint, no proof"
    return findings + found(
        "few-objects", "note", draft.part, few, text,
        lambda i: draft.picture_spot(i, f"{counts[i]} objects"),
    )  # fmt: skip
