"""Check a data set: findings of reading, all checks, and statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from loguru import logger

from otadet.choices import Split
from otadet.data.findings import Finding, Part, Severity, Spot, by_severity, found
from otadet.data.formats import make_dataset, read_records
from otadet.data.image_sizes import with_sizes
from otadet.data.records import Records
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
from otadet.doctor.duplicates import check_duplicates
from otadet.doctor.objects import Objects, usable_objects
from otadet.doctor.overlaps import find_overlaps
from otadet.doctor.own_records import check_loading, own_records
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
    read: dict[Split, Records] = {}
    scans: list[tuple[Records, dict[int, ScannedImage]]] = []
    severity: Severity = "error" if config.reading.unreadable == "stop" else "warning"
    for part in ("train", "val"):
        if part in config.absent:
            findings += _unreadable(part, config.absent[part])
        if part not in config.places and part not in config.own:
            continue
        records = _read(config, part)
        if isinstance(records, InputError):
            findings += _unreadable(part, str(records))
            continue
        read[part] = records
        if part in config.own:
            findings += [] if quick else check_loading(config.own[part], records)
        else:
            records, _ = with_sizes(records)
            of_files, scanned = _files(records, severity, quick, workers, progress, config)
            findings += of_files
            scans.append((records, scanned))
        if not (part == "val" and _divided(config)):  # those of the one set came with training's
            findings += [_with_images(each, records) for each in records.findings]
        objects = usable_objects(records)
        if part == "train":
            config = config.with_choice(records, objects)
        of_split, splits[part] = _check_split(records, objects, config, crowds)
        findings += of_split
    if len(splits) == 2:
        train, val = splits["train"], splits["val"]
        findings += check_both(train.records, train.objects, val.records, val.objects, config)
        findings += _same_files(train.records, val.records) if quick else []
    findings += check_duplicates(scans)
    refusals = _refusals(config, read)
    for part, message in refusals.items():  # the strict readers decide
        if not any(each.severity == "error" and each.part == part for each in findings):
            spots = (Spot(str(config.places[part].annotations), got=message, part=part),)  # type: ignore[index]
            findings.append(Finding("refused", "error", part, 1, "the reader refuses", spots))
    return Report(config, by_severity(findings), splits, quick, refusals)


def _check_split(
    records: Records, objects: Objects, config: DoctorConfig, crowds: bool
) -> tuple[list[Finding], SplitReport]:
    overlaps = find_overlaps(objects)
    statistics = compute_statistics(records, objects, overlaps, config, crowds)
    findings = check_settings(records, objects, overlaps, config, statistics)
    findings += check_boxes(records, objects, overlaps, config)
    findings += check_classes(records, objects, config)
    zoom = config.zoom(records.sizes)
    return findings, SplitReport(
        records, objects, overlaps, statistics, zoom, config.reading.pixels
    )


def _files(
    records: Records,
    severity: Severity,
    quick: bool,
    workers: int,
    progress: bool,
    config: DoctorConfig,
) -> tuple[list[Finding], dict[int, ScannedImage]]:
    """Check the image files; also what they hold, where they were opened."""
    findings, there = check_files(records, severity)
    if quick:
        return findings + check_sizes(records, there, severity), {}
    tiled = config.tile_settings[0] is not None
    scanned = scan_images(records, there, workers, progress, config.reading.pixels, tiled)
    return findings + check_images(records, scanned, severity), scanned


def _read(config: DoctorConfig, split: Split) -> Records | InputError:
    try:
        if split in config.own:
            return own_records(config.own[split], split)
        return read_records(config.places[split], config.reading)
    except InputError as error:
        return error


def _divided(config: DoctorConfig) -> bool:
    return any(place.divide is not None for place in config.places.values())


def _with_images(finding: Finding, records: Records) -> Finding:
    """The finding with the indices of the images that its places name."""
    index = {name: i for i, name in enumerate(records.file_names)}

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


def _same_files(train: Records, val: Records) -> list[Finding]:
    """Files that both splits name, found without opening images."""
    if train.images.resolve() != val.images.resolve():
        return []
    names = set(train.file_names) - {""}
    both = [index for index, name in enumerate(val.file_names) if name in names]
    text = "files that training and validation name"
    return found("picture-in-both", "warning", "both", both, text, val.file_spot)


def _refusals(config: DoctorConfig, read: dict[Split, Records]) -> dict[Part, str]:
    """Return the messages with which training refuses the splits."""
    messages: dict[Part, str] = dict(config.absent)  # type: ignore[arg-type]
    names: tuple[str, ...] | None = None
    for split, records in read.items():
        if split in config.own:
            continue
        how = config.reading if not names else replace(config.reading, class_names=names)
        try:
            with _quiet():
                dataset = make_dataset(records, how, config.drop_empty and split == "train")
        except InputError as error:
            messages[split] = str(error)
            dataset = None
        if split == "train":
            names = dataset.class_names if dataset else records.names
    return messages


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the readers' warnings, which are findings here."""
    logger.disable("otadet.data")
    try:
        yield
    finally:
        logger.enable("otadet.data")
