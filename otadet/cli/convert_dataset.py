"""``tools/convert_dataset.py``: annotations of one format as those of another."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from loguru import logger

from otadet.choices import Known, Split
from otadet.cli.parsers.convert_dataset import parser
from otadet.data import FileDataset, ReadOptions, find_data, open_data
from otadet.data.convert import Converted, convert
from otadet.data.layouts import NoSplitError
from otadet.errors import InputError

_NOT_KEPT: dict[Known, str] = {
    "coco": "",
    "odgt": "category ids; vbox, hbox and head_attr of an odgt file",
    **dict.fromkeys(("csv", "labelme", "voc", "yolo"), "image and category ids"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Convert, and log what could not be kept."""
    output = Path(args.output)
    if output.exists() and not args.force:
        raise InputError(f"{output}: already exists; name another folder, or give --force")
    data = _splits(args)
    done = convert(
        data, output, args.to,
        images=args.images, force=args.force, keep_ids=args.classes is None,
    )  # fmt: skip
    _log_result(args, done, any(dataset.amodal for dataset in data.values()))
    return 0


def _splits(args: argparse.Namespace) -> dict[Split, FileDataset]:
    wanted = [word.strip() for word in args.splits.split(",")]
    if not wanted or not set(wanted) <= set(get_args(Split)):
        raise InputError(f"--splits: expected some of train,val, got {args.splits!r}")
    classes = tuple(args.classes.split(",")) if args.classes else None
    if classes is not None and (not all(classes) or len(set(classes)) < len(classes)):
        raise InputError(f"--classes: expected different names with commas, got {args.classes!r}")
    found: dict[Split, FileDataset] = {}
    missing: list[str] = []
    known = None
    for split in get_args(Split):
        if split not in wanted:
            continue
        annotations, images = (getattr(args, f"{split}_{kind}") for kind in ("ann", "images"))
        how = ReadOptions(
            known, classes, args.odgt_box, args.difficult, args.amodal or None, args.unreadable,
            allow_predictions=args.allow_predictions,
        )  # fmt: skip
        try:
            place = find_data(args.data_dir, split, annotations, images, args.source)
            found[split] = open_data(place, how)
        except NoSplitError as error:
            missing.append(str(error))
            continue
        known = found[split].class_names
        logger.info("{}: {} images, {}", place.annotations, len(found[split]), place.format)
        _log_skipped(found[split])
    if not found:
        raise InputError(missing[0])
    return found


def _log_skipped(dataset: FileDataset) -> None:
    for reason, count in dataset.skipped.items():
        if count and reason == "no_label_file":
            logger.info("{} images without a label file: no objects", count)
        elif count and reason == "unreadable":
            logger.warning("{} unreadable images skipped", count)


def _log_result(args: argparse.Namespace, done: Converted, amodal: bool) -> None:
    images = ", ".join(f"{split} {count}" for split, count in done.images.items())
    logger.info(
        "wrote {} ({}): images: {}; {} objects, {} ignore regions",
        args.output, args.to, images, done.objects, done.ignored,
    )  # fmt: skip
    for what, count in done.lost.items():
        if count:
            logger.warning("format {} has no {}: {} dropped", args.to, what, count)
    if _NOT_KEPT[args.to]:
        logger.info("not kept: {}", _NOT_KEPT[args.to])
    if amodal and args.to != "odgt":
        logger.warning("boxes reach beyond their images: train and evaluate with amodal=true")
    if args.images == "none":
        logger.info("images were not copied: name their folders with train_images= and val_images=")
