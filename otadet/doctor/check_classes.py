"""Classes: empty, rare, named alike, different in training and validation."""

from __future__ import annotations

import re

import numpy as np

from otadet.data.findings import Finding, Part, Severity, Spot, counted
from otadet.data.records import Records
from otadet.doctor.config import DoctorConfig
from otadet.doctor.objects import Objects

_RARE = 10


def check_classes(records: Records, objects: Objects, config: DoctorConfig) -> list[Finding]:
    """Find faulty and odd classes of one split."""
    names, part = records.names, records.split
    counts = np.bincount(objects.labels, minlength=len(names))
    findings: list[Finding] = []
    if not len(objects.rows) and len(records):
        ignored = int(records.ignored.sum())
        why = f", {counted(ignored, 'ignore region')}" if ignored else ""
        findings += _of("no-objects", records, [], f"no usable object{why}")
    elif part == "train":
        empty = [name for name, n in zip(names, counts) if not n]
        text = "classes without an object"
        if records.format == "yolo" and empty == [*names[:1]]:
            text += " (the first one: do the label files count from 1?)"
        findings += _of("class-empty", records, empty, text)
        rare = [f"{name} ({n})" for name, n in zip(names, counts) if 0 < n < _RARE]
        findings += _of("class-rare", records, rare, f"classes with fewer than {_RARE} objects")
    spelt: dict[str, str] = {}
    alike: list[str] = []
    for name in names:
        other = spelt.setdefault(re.sub(r"[\s_\-]+", "", name).casefold(), name)
        if other != name:
            alike.append(f"{other!r} and {name!r}")
    findings += _of("class-name-similar", records, alike, "names that differ in case or blanks")
    findings += _ignored_classes(records, objects)
    return findings + _wanted(records, config)


def _ignored_classes(records: Records, objects: Objects) -> list[Finding]:
    """Find classes of which most annotations are ignore regions, as some tools mark all masks."""
    ignored = records.labels[records.ignored & (records.labels >= 0)]
    regions = np.bincount(ignored, minlength=len(records.names))
    counts = np.bincount(objects.labels, minlength=len(records.names))
    most = [
        f"{name} ({regions[i]} of {regions[i] + counts[i]})"
        for i, name in enumerate(records.names)
        if regions[i] > counts[i]
    ]
    text = "classes of which most annotations are ignore regions, which are not learned"
    return _of("mostly-ignored", records, most, text)


def _wanted(records: Records, config: DoctorConfig) -> list[Finding]:
    """Compare with the settings ``class_names`` and ``num_classes``."""
    classes, count = config.reading.classes, len(records.names)
    findings: list[Finding] = []
    if classes is not None:
        strange = [name for name in records.names if name not in classes]
        if records.format != "yolo":
            text = "classes that the setting class_names does not name"
            findings += _of("classes-differ", records, strange, text)
            count = len(classes)
    if records.split == "train" and config.num_classes not in (None, count):
        text = f"num_classes={config.num_classes}, but the data have {count} classes"
        findings += _of("num-classes-differs", records, [], text)
    return findings


def check_both(train: Records, train_objects: Objects, val: Records, val_objects: Objects,
               config: DoctorConfig) -> list[Finding]:  # fmt: skip
    """Compare the classes of validation with those of training."""
    findings: list[Finding] = []
    learned = config.reading.classes if config.reading.classes is not None else train.names
    if config.reading.classes is None:
        used = {val.names[i] for i in np.unique(val.labels[val.labels >= 0])}
        named = val.names if val.format in ("coco", "yolo") else [n for n in val.names if n in used]
        strange = [name for name in named if name not in learned]
        text = "classes of validation that training does not have"
        findings += _of("classes-differ", val, strange, text)
    seen = {train.names[i] for i in np.unique(train_objects.labels)}
    only = [val.names[i] for i in np.unique(val_objects.labels) if val.names[i] not in seen]
    known = [name for name in only if name in learned]
    text = "classes in validation that training has no object of"
    findings += _of("class-val-only", val, known, text)
    ours = dict(zip(train.class_ids, train.names))
    other = [
        f"{number} is {ours[number]!r} in training, {name!r} in validation"
        for number, name in zip(val.class_ids, val.names)
        if number in ours and ours[number] != name
    ]
    return findings + _of("class-ids-differ", val, other, "ids of other classes in both files")


def _of(code: str, records: Records, names: list[str], text: str) -> list[Finding]:
    """Return a finding about class names; of the split as a whole for some codes."""
    part: Part = records.split
    alone = code in ("no-objects", "num-classes-differs")
    if not names and not alone:
        return []
    severity = _SEVERITY[code]
    if code == "no-objects" and part == "val":
        severity = "warning"
    spots = tuple(Spot(str(records.path), got=name, part=part) for name in names[:12])
    spots = spots or (Spot(str(records.path), part=part),)
    return [Finding(code, severity, part, max(1, len(names)), text, spots)]


_SEVERITY: dict[str, Severity] = {
    "no-objects": "error",
    "class-empty": "warning",
    "class-rare": "note",
    "mostly-ignored": "warning",
    "class-name-similar": "warning",
    "classes-differ": "error",
    "num-classes-differs": "error",
    "class-val-only": "warning",
    "class-ids-differ": "warning",
}
