"""The whole examination: drafts of both splits, checks, numbers, and the readers' own word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from loguru import logger

import otadet
from otadet.data import FileDataset, ReadOptions, SplitPaths, open_data
from otadet.data.annotation_table import Floats
from otadet.doctor.check_boxes import check_boxes
from otadet.doctor.check_classes import check_both, check_classes
from otadet.doctor.check_files import check_files
from otadet.doctor.check_pixels import check_pixels
from otadet.doctor.copies import check_copies
from otadet.doctor.draft import Draft, Objects, usable_objects
from otadet.doctor.draft_coco import draft_coco
from otadet.doctor.draft_odgt import draft_odgt
from otadet.doctor.draft_voc import draft_voc
from otadet.doctor.draft_yolo import draft_yolo
from otadet.doctor.findings import Finding, Part, Severity, Spot, by_severity, found
from otadet.doctor.pairs import Pairs, overlapping
from otadet.doctor.pixels import Looked, look_at_all
from otadet.doctor.portrait import Portrait, portray
from otadet.doctor.subject import Subject
from otadet.errors import InputError


@dataclass(frozen=True, eq=False)
class Split:
    """One half of the data as the examination sees it.

    Attributes:
        draft: the annotations.
        objects: those that training would take.
        pairs: objects that overlap.
        portrait: numbers.
        zoom: ``[N]`` factor from each picture to the network's input.
    """

    draft: Draft
    objects: Objects
    pairs: Pairs
    portrait: Portrait
    zoom: Floats


@dataclass(frozen=True, eq=False)
class Report:
    """All that was found.

    Attributes:
        subject: data and settings.
        findings: the most serious first.
        splits: those that could be drafted.
        quick: no picture was opened.
        refusals: what the readers said, by split.
    """

    subject: Subject
    findings: list[Finding]
    splits: dict[Part, Split]
    quick: bool
    refusals: dict[Part, str]

    @property
    def errors(self) -> list[Finding]:
        """What training cannot do with."""
        return [each for each in self.findings if each.severity == "error"]

    @property
    def can_train(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "otadet": otadet.__version__,
            "experiment": self.subject.name,
            "input_size": self.subject.input_size,
            "strides": self.subject.strides,
            "quick": self.quick,
            "can_train": self.can_train,
            "findings": [each.as_dict() for each in self.findings],
            "numbers": {part: split.portrait.as_dict() for part, split in self.splits.items()},
        }


def examine(
    subject: Subject, *, quick: bool = False, crowds: bool = True, workers: int = 4,
    progress: bool = False,
) -> Report:  # fmt: skip
    """Look the data over.

    Args:
        subject: data and settings.
        quick: open no picture, beyond the headers where the annotations state no sizes.
        crowds: measure how crowded the pictures are.
        workers: threads that open pictures.
        progress: show bars.
    """
    findings: list[Finding] = []
    splits: dict[Part, Split] = {}
    looked: list[tuple[Draft, dict[int, Looked]]] = []
    severity: Severity = "error" if subject.reading.unreadable == "stop" else "warning"
    for part in ("train", "val"):
        if part not in subject.places:
            findings += _unreadable(part, subject.absent[part]) if part in subject.absent else []
            continue
        draft, faults = _drafted(subject.places[part], subject.reading)
        if draft is None:
            findings += faults
            continue
        findings += [_with_pictures(each, draft) for each in faults]
        of_files, there = check_files(draft, severity)
        findings += of_files
        if quick:
            findings += _without_size(draft, there, severity)
        else:
            seen = look_at_all(draft, there, workers, progress)
            findings += check_pixels(draft, seen, severity)
            looked.append((draft, seen))
        objects = usable_objects(draft)
        pairs = overlapping(objects)
        portrait, advice = portray(draft, objects, pairs, subject, crowds)
        splits[part] = Split(draft, objects, pairs, portrait, subject.zoom(draft.sizes))
        findings += advice + check_boxes(draft, objects, pairs, subject)
        findings += check_classes(draft, objects, subject)
    if len(splits) == 2:
        train, val = splits["train"], splits["val"]
        findings += check_both(train.draft, train.objects, val.draft, val.objects, subject)
        findings += _same_files(train.draft, val.draft) if quick else []
    findings += check_copies(looked)
    refusals = _refusals(subject, splits)
    for part, message in refusals.items():  # the readers have the last word
        if not any(each.severity == "error" and each.part == part for each in findings):
            spots = (Spot(str(subject.places[part].annotations), got=message, part=part),)  # type: ignore[index]
            findings.append(Finding("refused", "error", part, 1, "the reader refuses", spots))
    return Report(subject, by_severity(findings), splits, quick, refusals)


def _drafted(place: SplitPaths, how: ReadOptions) -> tuple[Draft | None, list[Finding]]:
    try:
        if place.format == "coco":
            return draft_coco(place, bool(how.amodal))
        if place.format == "odgt":
            whole = how.odgt_box == "fbox" if how.amodal is None else how.amodal
            return draft_odgt(place, how.odgt_box, whole)
        if place.format == "voc":
            return draft_voc(place, how.difficult == "keep", bool(how.amodal))
        return draft_yolo(place, how.classes, bool(how.amodal))
    except InputError as error:
        return None, _unreadable(place.split, str(error))


def _with_pictures(finding: Finding, draft: Draft) -> Finding:
    """The finding with the indices of the pictures that its places name."""
    index = {name: i for i, name in enumerate(draft.file_names)}

    def placed(spot: Spot) -> Spot:
        if spot.picture >= 0 or spot.image is None:
            return spot
        found_at = index.get(spot.image, index.get(f"{spot.image}.jpg", -1))
        return replace(spot, picture=found_at)

    return replace(finding, spots=tuple(map(placed, finding.spots)))


def _unreadable(part: Part, message: str) -> list[Finding]:
    file, _, got = message.partition(": ")
    spots = (Spot(file, got=got, part=part),)
    return [Finding("annotations-unreadable", "error", part, 1, "cannot be read", spots)]


def _without_size(draft: Draft, there: list[int], severity: Severity) -> list[Finding]:
    """Pictures of which not even the header could be read."""
    bad = [index for index in there if np.isnan(draft.sizes[index]).any()]
    text = "files that are no readable picture"
    return found("file-not-image", severity, draft.part, bad, text, draft.file_spot)


def _same_files(train: Draft, val: Draft) -> list[Finding]:
    """Without opening pictures: files that both splits name."""
    if train.images.resolve() != val.images.resolve():
        return []
    names = set(train.file_names) - {""}
    both = [index for index, name in enumerate(val.file_names) if name in names]
    text = "files that training and validation name"
    return found("picture-in-both", "warning", "both", both, text, val.file_spot)


def _refusals(subject: Subject, splits: dict[Part, Split]) -> dict[Part, str]:
    """What the readers that training uses say of each split."""
    messages: dict[Part, str] = dict(subject.absent)  # type: ignore[arg-type]
    names: tuple[str, ...] | None = None
    if "train" in subject.places:
        data, message = _opened(subject.places["train"], subject.reading, subject.drop_empty)
        if data is None:
            messages["train"] = message
            names = splits["train"].draft.names if "train" in splits else None
        else:
            names = data.class_names
    if "val" in subject.places:
        reading = subject.reading if not names else subject.for_classes(names)
        data, message = _opened(subject.places["val"], reading, False)
        if data is None:
            messages["val"] = message
    return messages


def _opened(
    place: SplitPaths, how: ReadOptions, drop_empty: bool
) -> tuple[FileDataset | None, str]:
    try:
        with _quiet():
            return open_data(place, how, drop_empty), ""
    except InputError as error:
        return None, str(error)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the readers' warnings, which are findings here."""
    logger.disable("otadet.data")
    try:
        yield
    finally:
        logger.enable("otadet.data")
