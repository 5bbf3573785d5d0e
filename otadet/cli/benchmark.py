"""``tools/benchmark.py``: latency and throughput of a detector by stage."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import torch
from loguru import logger
from tabulate import tabulate

import otadet
from otadet.atomic import atomic_write
from otadet.cli.common import find_checkpoint, select_experiment
from otadet.cli.options import test_overrides
from otadet.cli.parsers.benchmark import parser
from otadet.data import ShapesDataset, write_image
from otadet.data.coco_classes import COCO_CLASSES
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.devices import Devices, parse_devices
from otadet.engine.precision import Precision, choose_precision
from otadet.engine.predictor import Predictor
from otadet.engine.timing import StageTime, measure
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.media import image_files
from otadet.outputs import Inputs, begins_with, check_output


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Measure and print a table."""
    _check(args)
    checkpoint = find_checkpoint(args) if args.checkpoint else None
    if checkpoint is None and args.name is None and args.exp_file is None:
        raise InputError("give a checkpoint with -c, or name an experiment with -n or -f")
    exp = select_experiment(args, checkpoint, test_overrides(args))
    if exp is None:
        return 0
    if exp.tta != "none":
        logger.warning("tta={}: left out, the stages of one pass are measured", exp.tta)
    if exp.tile is not None:
        logger.warning("tile={}: left out, the stages of one pass are measured", exp.tile)
    devices = parse_devices(args.device)
    if len(devices) != 1:
        raise InputError(f"-d {args.device}: the benchmark runs on one device")
    precision = choose_precision(args.precision, devices.kind, auto=False)
    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    predictor = _predictor(args, checkpoint, exp, devices, precision)
    with tempfile.TemporaryDirectory() as folder:
        paths = _given(args.path) if args.path else _generated(Path(folder))
        times = measure(predictor, paths, args.batch_size, args.repeats, args.warmup)
    about = _about(args, exp, devices, precision)
    rows = [
        (t.stage, f"{t.median:.2f}", f"{t.p95:.2f}", f"{t.images_per_second:.1f}") for t in times
    ]
    head = ["stage", "median, ms", "p95, ms", "images/s"]
    print(", ".join(f"{k} {v}" for k, v in about.items()))  # noqa: T201 - its output
    print(tabulate(rows, headers=head, colalign=("left",) + ("right",) * 3))  # noqa: T201
    if args.save_json:
        _save(Path(args.save_json), about, times)
    return 0


def _check(args: argparse.Namespace) -> None:
    for option, value, least in (
        ("-b", args.batch_size, 1),
        ("--threads", args.threads, 1),
        ("--repeats", args.repeats, 1),
        ("--warmup", args.warmup, 0),
    ):
        if value is not None and value < least:
            raise InputError(f"{option}: expected at least {least}, got {value}")
    if args.save_json:
        path = Path(args.save_json)
        if not path.absolute().parent.is_dir():
            raise InputError(f"--save-json {path}: its folder does not exist")
        check_output(path, Inputs(), begins_with(b'{\n  "otadet": "'))


def _predictor(
    args: argparse.Namespace,
    checkpoint: Checkpoint | None,
    exp: BaseExp,
    devices: Devices,
    precision: Precision,
) -> Predictor:
    device = devices.device(0)
    if checkpoint is not None:
        predictor = Predictor.from_checkpoint(checkpoint, exp, device, precision, fused=args.fuse)
    else:
        logger.info("random weights: the time of postprocess means little")
        names = tuple(f"class {i}" for i in range(exp.num_classes or len(COCO_CLASSES)))
        model = exp.build_model(len(names))
        predictor = Predictor.from_model(model, exp, names, device, precision, fused=args.fuse)
    if args.compile:
        compiled: Any = torch.compile(predictor.model)
        predictor = replace(predictor, model=compiled)
    return predictor


def _given(texts: Sequence[str]) -> list[Path]:
    return [path for text in texts for path in image_files(Path(text), "--path")]


def _generated(folder: Path) -> list[Path]:
    """Write four generated images as JPEG files."""
    data = ShapesDataset(4, seed=0, size=(480, 640))
    paths = [folder / f"{index}.jpg" for index in range(len(data))]
    for index, path in enumerate(paths):
        write_image(path, data.load(index).image)
    return paths


def _about(
    args: argparse.Namespace, exp: BaseExp, devices: Devices, precision: Precision
) -> dict[str, Any]:
    return {
        "experiment": exp.name,
        "device": str(devices),
        "precision": precision.name,
        "size": "x".join(map(str, exp.test_size)),
        "batch": args.batch_size,
        "fused": args.fuse,
        "compiled": args.compile,
        "nms": exp.nms_kind,
        "repeats": args.repeats,
    }


def _save(path: Path, about: dict[str, Any], times: Sequence[StageTime]) -> None:
    stages = [asdict(time) for time in times]
    content = {"otadet": otadet.__version__, **about, "stages": stages}
    atomic_write(path, json.dumps(content, indent=2) + "\n")
    logger.info("wrote {}", path)
