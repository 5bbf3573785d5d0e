"""``otadet inspect``: the same image and network under several assigners, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from loguru import logger
from tqdm import tqdm

from otadet.assign import Assigner
from otadet.assign.base import on_cpu
from otadet.cli.common import results_folder, select_experiment
from otadet.cli.inspect_images import Chosen, choose, open_datasets
from otadet.cli.inspect_networks import Network, build_networks, open_checkpoints
from otadet.cli.inspect_outputs import Outputs
from otadet.cli.parsers.inspect import parser
from otadet.data import collate
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.devices import parse_devices
from otadet.errors import InputError, NonFiniteError
from otadet.exp import BaseExp, load_class
from otadet.inspect import InspectedImage, Inspection, assigners_of, take_snapshot
from otadet.rng import generator
from otadet.types import Sample


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Inspect the images and write page, JSON and PNG files."""
    if args.images < 1:
        raise InputError(f"--images {args.images}: expected at least 1")
    checkpoints = _checkpoints(args)
    exp = select_experiment(args, checkpoints[-1] if checkpoints else None)
    if exp is None:
        return 0
    devices = parse_devices(args.device)
    if len(devices) != 1:
        raise InputError(f"-d {args.device}: inspect runs on one device")
    outputs = Outputs.of(args, _folder(exp, checkpoints))
    wanted = [name.strip() for name in args.assigners.split(",")] if args.assigners else None
    assigners = assigners_of(exp, wanted)
    given = any(word.startswith("data_dir") for word in args.overrides)
    exp, datasets = open_datasets(exp, args.path, args.split, given)
    names = tuple(dict.fromkeys(name for data in datasets for name in data.class_names))
    networks = build_networks(exp, checkpoints, names, devices.device(0))
    strides = networks[0].predictor.model.head.strides
    chosen = choose(exp, datasets, args.path, args.images, strides)
    images = [
        inspect_image(each, networks, assigners)
        for each in tqdm(chosen, desc="inspect", unit="image", disable=len(chosen) < 2 or None)
    ]
    images.sort(key=lambda image: -image.badness)
    inspection = Inspection(
        title=_title(exp, networks),
        class_names=networks[0].predictor.class_names,
        images=tuple(images),
    )
    outputs.write(inspection)
    return 0


def _checkpoints(args: argparse.Namespace) -> list[Checkpoint]:
    """Open those of ``-c``; without, ``-n`` or ``-f`` names an untrained network."""
    named = args.exp_file is not None or args.name is not None
    if args.checkpoint:
        exp = load_class(args.exp_file, args.name) if named else None
        return open_checkpoints(args.checkpoint, exp)
    if not named:
        raise InputError("give a checkpoint with -c, or name an experiment with -n or -f")
    best = Path("runs") / load_class(args.exp_file, args.name).name / "best.pth"
    hint = f"; -c {best} takes that of your run" if best.is_file() else ""
    logger.info("no -c: an untrained network{}", hint)
    return []


def inspect_image(
    chosen: Chosen, networks: Sequence[Network], assigners: Mapping[str, Assigner]
) -> InspectedImage:
    """Return an image under all networks and assigners, as evaluation resizes it."""
    predictor = networks[0].predictor
    sample = predictor.exp.build_val_transform()(_sample(chosen, networks[0]), generator(0))
    batch = collate([sample])
    found = [
        (network.label, on_cpu(network.predictor.forward(batch).dense)) for network in networks
    ]
    points = found[0][1].points
    height, width = sample.geometry.input_size
    own, rule = predictor.exp.build_assigner(), predictor.exp.score_rule
    try:
        snapshots = [
            take_snapshot(label, preds, batch.targets[0], assigners, own, rule)
            for label, preds in found
        ]
    except NonFiniteError as error:
        raise InputError(f"{chosen.name}: {error}") from None
    return InspectedImage(
        name=chosen.name,
        image=sample.image[:height, :width],
        boxes=sample.boxes.astype(np.float64),
        labels=sample.labels,
        ignore_boxes=sample.ignore_boxes.astype(np.float64),
        points=points,
        snapshots=tuple(snapshots),
    )


def _sample(chosen: Chosen, network: Network) -> Sample:
    """Load the image with labels in the order of the network's classes."""
    sample, names = chosen.data.load(chosen.index), chosen.data.class_names
    order = [network.predictor.class_names.index(name) for name in names]
    return replace(sample, labels=np.array([order[label] for label in sample.labels], np.int64))


def _title(exp: BaseExp, networks: Sequence[Network]) -> str:
    labels = [network.label for network in networks]
    shown = labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
    data = Path(exp.data_dir).resolve().name if exp.data_dir else "generated shapes"
    return f"{exp.name} ({shown}) on {data}"


def _folder(exp: BaseExp, checkpoints: Sequence[Checkpoint]) -> Path:
    """Where the page goes by default."""
    if checkpoints:
        return results_folder(None, "inspect", checkpoints[-1], exp.name)
    return Path("runs") / exp.name / "inspect"
