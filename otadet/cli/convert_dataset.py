"""``tools/convert_dataset.py``: annotations of one format as those of another."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from loguru import logger

from otadet.choices import Foreign, Known, Split
from otadet.cli.parsers.convert_dataset import parser
from otadet.data import FileDataset, ReadOptions, open_data
from otadet.data.convert import Converted, convert
from otadet.data.data_folder import NoSplitError
from otadet.data.foreign_formats import read_foreign
from otadet.data.formats import make_dataset
from otadet.data.layouts import Named, find_split
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
    data = _foreign_splits(args) if args.source in get_args(Foreign) else _splits(args)
    done = convert(
        data, output, args.to,
        images=args.images, force=args.force, keep_ids=args.classes is None,
    )  # fmt: skip
    _log_result(args, done, any(dataset.amodal for dataset in data.values()))
    return 0


def _splits(args: argparse.Namespace) -> dict[Split, FileDataset]:
    named: Named = {
        "train": (args.train_ann, args.train_images), "val": (args.val_ann, args.val_images)
    }  # fmt: skip
    found: dict[Split, FileDataset] = {}
    missing: list[str] = []
    how = _options(args)
    for split in _wanted(args):
        try:
            place = find_split(args.data_dir, split, named, args.source, args.val_fraction)
            found[split] = open_data(place, how)
        except NoSplitError as error:
            missing.append(str(error))
            continue
        how = replace(how, class_names=found[split].class_names)
        logger.info("{}: {} images, {}", place.annotations, len(found[split]), place.format)
        _log_skipped(found[split])
    if not found:
        raise InputError(missing[0])
    return found


def _foreign_splits(args: argparse.Namespace) -> dict[Split, FileDataset]:
    given = [f"--{split}-{kind}" for split in get_args(Split) for kind in ("ann", "images")
             if getattr(args, f"{split}_{kind}")]  # fmt: skip
    if given:
        raise InputError(f"{given[0]}: no effect with --from {args.source}")
    how, wanted = _options(args), _wanted(args)
    read = read_foreign(Path(args.data_dir), args.source, args.allow_predictions)
    found = {
        split: make_dataset(replace(records, amodal=args.amodal), how)
        for split, records in read.items()
        if split in wanted
    }
    if not found:
        raise InputError(f"{args.data_dir}: no images of {args.splits}")
    for split, dataset in found.items():
        logger.info("{}: {} images of {}, {}", args.data_dir, len(dataset), split, args.source)
        _log_skipped(dataset)
    return found


def _wanted(args: argparse.Namespace) -> list[Split]:
    words = [word.strip() for word in args.splits.split(",")]
    if not words or not set(words) <= set(get_args(Split)):
        raise InputError(f"--splits: expected some of train,val, got {args.splits!r}")
    return [split for split in get_args(Split) if split in words]


def _options(args: argparse.Namespace) -> ReadOptions:
    classes = tuple(args.classes.split(",")) if args.classes else None
    if classes is not None and (not all(classes) or len(set(classes)) < len(classes)):
        raise InputError(f"--classes: expected different names with commas, got {args.classes!r}")
    return ReadOptions(
        None, classes, args.odgt_box, args.difficult, args.amodal or None, args.unreadable,
        allow_predictions=args.allow_predictions,
    )  # fmt: skip


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
