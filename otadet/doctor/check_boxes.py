"""Boxes: outside the image, without area, tiny, duplicate, in another format than the file's."""

from __future__ import annotations

import numpy as np

from otadet.data.findings import Finding, Severity, Spot, found
from otadet.data.records import Records
from otadet.data.text_file import shown
from otadet.doctor.config import DoctorConfig
from otadet.doctor.objects import Objects, limits
from otadet.doctor.overlaps import Overlaps

TINY = 2.0
"""Pixels of the network's input: a quarter of the finest stride."""

_CUT = 0.1  # share of a box beyond the border from which it is more than a rounding
_SAME = 0.95
_LONG = 20.0
_ENOUGH = 3  # boxes from which a wrong format can be told from a slip


def check_boxes(
    records: Records, objects: Objects, overlaps: Overlaps, config: DoctorConfig
) -> list[Finding]:
    """Find faulty and odd boxes of a split."""
    findings = _format(records)
    if not findings:  # a wrong format explains what follows
        findings = _border(records)
    findings += _sizes(records, objects, config) + _duplicates(records, objects, overlaps)
    return findings + _heap(records, objects, overlaps)


def _format(records: Records) -> list[Finding]:
    """COCO's boxes that are two corners, and fractions of the image's sides."""
    corners = records.format in ("csv", "labelme")
    if not corners and records.format not in ("coco", "odgt"):
        return []
    limit = limits(records)
    known = np.isfinite(records.boxes).all(axis=1) & np.isfinite(limit).all(axis=1)
    rows = np.flatnonzero(known)
    if len(rows) < _ENOUGH:
        return []
    boxes, limit = records.boxes[rows], limit[rows]
    sides = boxes[:, 2:] - boxes[:, :2]
    raw = boxes if corners else np.concatenate([boxes[:, :2], sides], axis=1)

    def spot(row: int) -> Spot:
        numbers = raw[np.searchsorted(rows, row)]
        return records.box_spot(row, f"got {shown([float(v) for v in numbers])}")

    if (raw <= 1).all() and (sides > 0).any() and (raw % 1 > 0).any():
        text = (
            "all numbers are at most 1: fractions of the image's sides, where pixels are expected"
        )
        return found("boxes-normalised", "error", records.split, rows, text, spot)
    leave = (boxes[:, 2:] > limit[:, 2:] + TINY).any(axis=1)
    fit = (sides > raw[:, :2]).all(axis=1) & (sides <= limit[:, 2:] + 1).all(axis=1)
    few = leave.sum() < max(_ENOUGH, 0.2 * len(rows)) or fit.mean() < 0.99
    if corners or records.amodal or few:
        return []
    text = (
        f"{leave.mean():.0%} leave their image when read as left, top, width, height, and "
        f"{fit.mean():.0%} fit as x1, y1, x2, y2"
    )
    return found("boxes-xyxy", "error", records.split, rows[leave], text, spot)


def _border(records: Records) -> list[Finding]:
    limit = limits(records)
    box, part = records.boxes, records.split
    known = np.isfinite(box).all(axis=1) & np.isfinite(limit).all(axis=1)
    flat = np.isfinite(box).all(axis=1) & (box[:, 2:] <= box[:, :2]).any(axis=1)
    cut = np.minimum(np.maximum(box, 0), limit)
    outside = known & ~flat & (cut[:, 2:] <= cut[:, :2]).any(axis=1)

    def spot(row: int) -> Spot:
        return records.box_spot(row, records.corners(row))

    text = "no width or no height"
    findings = found("box-no-area", "warning", part, np.flatnonzero(flat), text, spot)
    text = "wholly outside the image"
    findings += found("box-outside", "warning", part, np.flatnonzero(outside), text, spot)
    if records.amodal:
        return findings
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = 1 - np.prod(cut[:, 2:] - cut[:, :2], axis=1) / np.prod(
            box[:, 2:] - box[:, :2], axis=1
        )
    over = known & ~flat & ~outside & ~records.ignored & ((box < 0) | (box > limit)).any(axis=1)
    much = over & (lost > _CUT)
    severity: Severity = "warning" if much.any() else "note"
    text = f"partly outside the image, {int(much.sum())} of them by more than {_CUT:.0%}"
    rows = np.flatnonzero(over)
    rows = rows[np.argsort(-lost[rows], kind="stable")]  # the worst first
    return findings + found("box-over-border", severity, part, rows, text, spot)


def _sizes(records: Records, objects: Objects, config: DoctorConfig) -> list[Finding]:
    sizes = records.sizes[objects.image]
    sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
    zoom = config.zoom(sizes)
    tiny = sides.min(axis=1) * zoom < TINY
    share = np.prod(sides, axis=1) / np.prod(sizes, axis=1)
    whole = share >= 0.98
    long = (sides.max(axis=1) / sides.min(axis=1) > _LONG) & ~tiny

    def spot(index: int) -> Spot:
        width, height = sides[index]
        got = f"{width:g} x {height:g} pixels, {width * zoom[index]:.1f} x "
        row = int(objects.rows[index])
        return records.box_spot(row, got + f"{height * zoom[index]:.1f} at the input size")

    size = "{} x {}".format(*config.input_size)
    many = len(tiny) and tiny.mean() > 0.01
    findings = found(
        "box-tiny", "warning" if many else "note", records.split, np.flatnonzero(tiny),
        f"under {TINY:g} px wide or high at the input size {size}", spot,
    )  # fmt: skip
    most = len(whole) and whole.mean() > 0.5
    text = "the box of the whole image"
    findings += found(
        "box-whole-picture", "warning" if most else "note", records.split, np.flatnonzero(whole),
        text, spot,
    )  # fmt: skip
    text = f"more than {_LONG:g} times as long as wide"
    return findings + found("box-extreme", "note", records.split, np.flatnonzero(long), text, spot)


def _duplicates(records: Records, objects: Objects, overlaps: Overlaps) -> list[Finding]:
    same = (overlaps.iou > _SAME) & (
        objects.labels[overlaps.first] == objects.labels[overlaps.second]
    )
    one, other = objects.rows[overlaps.first[same]], objects.rows[overlaps.second[same]]
    later, earlier = np.maximum(one, other), np.minimum(one, other)
    order = np.argsort(later, kind="stable")
    later, earlier, iou = later[order], earlier[order], overlaps.iou[same][order]
    keep = np.flatnonzero(np.diff(later, prepend=-1) > 0)  # of three copies two are too many

    def spot(index: int) -> Spot:
        first = records.place(int(earlier[index]))[1]
        return records.box_spot(int(later[index]), f"IoU {iou[index]:.2f} with {first}")

    text = f"the same class twice at one place (IoU over {_SAME:g})"
    return found("box-double", "warning", records.split, keep, text, spot)


def _heap(records: Records, objects: Objects, overlaps: Overlaps) -> list[Finding]:
    """Find the image whose boxes overlap so often that not all pairs were compared."""
    if overlaps.complete:
        return []
    image = int(objects.counts.argmax())

    def spot(index: int) -> Spot:
        return records.image_spot(index, f"{objects.counts[index]} objects")

    text = "so many boxes over one another that only near pairs were compared"
    return found("box-heap", "warning", records.split, [image], text, spot)
