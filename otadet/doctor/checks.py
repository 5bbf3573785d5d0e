"""Check a data set: lenient reading, all checks, statistics, and the strict readers' errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from loguru import logger

from otadet.choices import Split
from otadet.data import FileDataset, ReadOptions, SplitPaths, open_data
from otadet.data.findings import Finding, Part, Severity, Spot, by_severity, found
from otadet.doctor.check_boxes import check_boxes
from otadet.doctor.check_classes import check_both, check_classes
from otadet.doctor.check_images import (
    ScannedImage,
    check_files,
    check_images,
    check_sizes,
    scan_images,
)
from otadet.doctor.check_settings import check_settings
from otadet.doctor.config import DoctorConfig
from otadet.doctor.draft import Draft, usable_objects
from otadet.doctor.draft_coco import draft_coco
from otadet.doctor.draft_odgt import draft_odgt
from otadet.doctor.draft_own import check_loading, draft_own
from otadet.doctor.draft_voc import draft_voc
from otadet.doctor.draft_yolo import draft_yolo
from otadet.doctor.duplicates import check_duplicates
from otadet.doctor.overlaps import find_overlaps
from otadet.doctor.report import Report, SplitReport
from otadet.doctor.statistics import compute_statistics
from otadet.errors import InputError


def check_dataset(
    config: DoctorConfig, *, quick: bool = False, crowds: bool = True, workers: int = 4,
    progress: bool = False,
) -> Report:  # fmt: skip
    """Check the training and validation data of an experiment.

    Args:
        config: data and settings.
        quick: open no image, beyond the headers where the annotations state no sizes.
        crowds: measure crowding.
        workers: threads that decode images.
        progress: show progress bars.
    """
    findings: list[Finding] = []
    splits: dict[Part, SplitReport] = {}
    scans: list[tuple[Draft, dict[int, ScannedImage]]] = []
    severity: Severity = "error" if config.reading.unreadable == "stop" else "warning"
    for part in ("train", "val"):
        if part in config.absent:
            findings += _unreadable(part, config.absent[part])
        if part not in config.places and part not in config.own:
            continue
        draft, faults = _drafted(config, part)
        if draft is None:
            findings += faults
            continue
        findings += [_with_images(each, draft) for each in faults]
        if part in config.own:
            findings += [] if quick else check_loading(config.own[part], draft)
        else:
            of_files, scanned = _files(draft, severity, quick, workers, progress)
            findings += of_files
            scans.append((draft, scanned))
        of_split, splits[part] = _check_split(draft, config, crowds)
        findings += of_split
    if len(splits) == 2:
        train, val = splits["train"], splits["val"]
        findings += check_both(train.draft, train.objects, val.draft, val.objects, config)
        findings += _same_files(train.draft, val.draft) if quick else []
    findings += check_duplicates(scans)
    refusals = _refusals(config, splits)
    for part, message in refusals.items():  # the strict readers decide
        if not any(each.severity == "error" and each.part == part for each in findings):
            spots = (Spot(str(config.places[part].annotations), got=message, part=part),)  # type: ignore[index]
            findings.append(Finding("refused", "error", part, 1, "the reader refuses", spots))
    return Report(config, by_severity(findings), splits, quick, refusals)


def _check_split(
    draft: Draft, config: DoctorConfig, crowds: bool
) -> tuple[list[Finding], SplitReport]:
    objects = usable_objects(draft)
    overlaps = find_overlaps(objects)
    statistics = compute_statistics(draft, objects, overlaps, config, crowds)
    findings = check_settings(draft, objects, overlaps, config, statistics)
    findings += check_boxes(draft, objects, overlaps, config)
    findings += check_classes(draft, objects, config)
    zoom = config.zoom(draft.sizes)
    return findings, SplitReport(draft, objects, overlaps, statistics, zoom)


def _files(
    draft: Draft, severity: Severity, quick: bool, workers: int, progress: bool
) -> tuple[list[Finding], dict[int, ScannedImage]]:
    """Check the image files; also what they hold, where they were opened."""
    findings, there = check_files(draft, severity)
    if quick:
        return findings + check_sizes(draft, there, severity), {}
    scanned = scan_images(draft, there, workers, progress)
    return findings + check_images(draft, scanned, severity), scanned


def _drafted(config: DoctorConfig, part: Split) -> tuple[Draft | None, list[Finding]]:
    try:
        if part in config.own:
            return draft_own(config.own[part], part)
        place, how = config.places[part], config.reading
        if place.format == "coco":
            return draft_coco(place, bool(how.amodal))
        if place.format == "odgt":
            whole = how.odgt_box == "fbox" if how.amodal is None else how.amodal
            return draft_odgt(place, how.odgt_box, whole)
        if place.format == "voc":
            return draft_voc(place, how.difficult == "keep", bool(how.amodal))
        return draft_yolo(place, how.classes, bool(how.amodal))
    except InputError as error:
        return None, _unreadable(part, str(error))


def _with_images(finding: Finding, draft: Draft) -> Finding:
    """The finding with the indices of the images that its places name."""
    index = {name: i for i, name in enumerate(draft.file_names)}

    def placed(spot: Spot) -> Spot:
        if spot.image_index >= 0 or spot.image is None:
            return spot
        found_at = index.get(spot.image, index.get(f"{spot.image}.jpg", -1))
        return replace(spot, image_index=found_at)

    return replace(finding, spots=tuple(map(placed, finding.spots)))


def _unreadable(part: Part, message: str) -> list[Finding]:
    file, _, got = message.partition(": ")
    spots = (Spot(file, got=got, part=part),)
    return [Finding("annotations-unreadable", "error", part, 1, "cannot be read", spots)]


def _same_files(train: Draft, val: Draft) -> list[Finding]:
    """Files that both splits name, found without opening images."""
    if train.images.resolve() != val.images.resolve():
        return []
    names = set(train.file_names) - {""}
    both = [index for index, name in enumerate(val.file_names) if name in names]
    text = "files that training and validation name"
    return found("picture-in-both", "warning", "both", both, text, val.file_spot)


def _refusals(config: DoctorConfig, splits: dict[Part, SplitReport]) -> dict[Part, str]:
    """Error messages, by split, of the readers that training uses."""
    messages: dict[Part, str] = dict(config.absent)  # type: ignore[arg-type]
    names: tuple[str, ...] | None = None
    if "train" in config.places:
        data, message = _opened(config.places["train"], config.reading, config.drop_empty)
        if data is None:
            messages["train"] = message
            names = splits["train"].draft.names if "train" in splits else None
        else:
            names = data.class_names
    if "val" in config.places:
        reading = config.reading if not names else config.for_classes(names)
        data, message = _opened(config.places["val"], reading, False)
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
    """Silence the readers' warnings, which are findings here."""
    logger.disable("otadet.data")
    try:
        yield
    finally:
        logger.enable("otadet.data")
