"""``tools/demo.py``: draw what a trained detector finds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger
from tqdm import tqdm

from otadet.cli.common import (
    CHECKPOINT_HELP,
    add_experiment_arguments,
    chosen_exp,
    find_checkpoint,
    output_folder,
    pictures_in,
)
from otadet.data import read_image, write_image
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.devices import parse_devices
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor
from otadet.errors import InputError
from otadet.visualize import draw_boxes


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        "demo.py",
        description="Detect on pictures and write them with boxes, names and scores.",
        epilog="python tools/demo.py image -n ota_r50 --path img.jpg",
    )
    p.add_argument("mode", choices=["image"], help="image: a picture or a folder of pictures")
    add_experiment_arguments(p)
    p.add_argument("--path", required=True, metavar="PATH", help="picture or folder")
    p.add_argument("-c", "--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    p.add_argument("-d", "--device", metavar="D", help="a GPU's index as 0, (with comma), or cpu")
    p.add_argument("-o", "--output", metavar="DIR", help="default: runs/<experiment>/demo")
    p.add_argument("--conf", type=float, default=0.4, help="lowest score drawn (default 0.4)")
    p.add_argument("--fp16", action="store_true", help="half precision (GPU)")
    p.add_argument("--bf16", action="store_true", help="bfloat16")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Detect on every picture and write the drawn copies."""
    args = parser().parse_intermixed_args(argv)
    checkpoint = find_checkpoint(args)
    exp = chosen_exp(args, checkpoint)
    if exp is None:
        return 0
    paths = pictures_in(Path(args.path), "--path")
    devices = parse_devices(args.device)
    if len(devices) != 1:
        raise InputError(f"-d {args.device}: the demo runs on one device")
    precision = choose_precision(args.fp16, args.bf16, devices.kind, auto=False)
    predictor = Predictor.from_checkpoint(checkpoint, exp, devices.device(0), precision)
    folder = Path(args.output) if args.output else output_folder(None, exp.name) / "demo"
    if any(folder.resolve() == path.parent.resolve() for path in paths):
        raise InputError(f"-o {folder}: the drawn copies would replace the pictures in there")
    folder.mkdir(parents=True, exist_ok=True)
    for path in tqdm(paths, desc="demo", unit="picture", disable=len(paths) < 3):
        image = read_image(path, upright=True)
        found = predictor(image).above(args.conf)
        drawn = draw_boxes(image, found.boxes, found.labels, checkpoint.class_names, found.scores)
        target = folder / path.name
        write_image(target, drawn)
        logger.info("{}: {} -> {}", path, _counts(found.labels.tolist(), checkpoint), target)
    return 0


def _counts(labels: list[int], checkpoint: Checkpoint) -> str:
    counts = {i: labels.count(i) for i in sorted(set(labels))}
    return ", ".join(f"{n} {checkpoint.class_names[i]}" for i, n in counts.items()) or "nothing"
