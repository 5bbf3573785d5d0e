"""``tools/demo.py``: draw what a trained detector finds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger
from tqdm import tqdm

from otadet.cli.common import add_experiment_arguments, chosen_exp, output_folder
from otadet.data import read_image
from otadet.engine.checkpoint import Checkpoint, load_checkpoint
from otadet.engine.devices import parse_devices
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor
from otadet.engine.report import write_rgb
from otadet.errors import InputError
from otadet.exp import load_class
from otadet.visualize import draw_boxes

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


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
    p.add_argument("-c", "--checkpoint", metavar="FILE", help="default: runs/<experiment>/best.pth")
    p.add_argument("-d", "--device", metavar="D", help="a GPU's index as 0, (with comma), or cpu")
    p.add_argument("-o", "--output", metavar="DIR", help="default: runs/<experiment>/demo")
    p.add_argument("--conf", type=float, default=0.3, help="lowest score drawn (default 0.3)")
    p.add_argument("--fp16", action="store_true")
    p.add_argument("--bf16", action="store_true")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Detect on every picture and write the drawn copies."""
    args = parser().parse_intermixed_args(argv)
    checkpoint = _checkpoint(args)
    exp = chosen_exp(args, checkpoint)
    if exp is None:
        return 0
    paths = _pictures(Path(args.path))
    devices = parse_devices(args.device)
    if len(devices) != 1:
        raise InputError(f"-d {args.device}: the demo runs on one device")
    precision = choose_precision(args.fp16, args.bf16, devices.kind, auto=False)
    predictor = Predictor.from_checkpoint(checkpoint, exp, devices.device(0), precision)
    folder = Path(args.output) if args.output else output_folder(None, exp) / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    for path in tqdm(paths, desc="demo", unit="picture", disable=len(paths) < 3):
        image = read_image(path)
        found = predictor(image).above(args.conf)
        drawn = draw_boxes(image, found.boxes, found.labels, checkpoint.class_names, found.scores)
        target = folder / (path.stem + ".jpg")
        write_rgb(target, drawn)
        logger.info("{}: {} -> {}", path, _counts(found.labels.tolist(), checkpoint), target)
    return 0


def _checkpoint(args: argparse.Namespace) -> Checkpoint:
    if args.checkpoint:
        return load_checkpoint(args.checkpoint)
    name = load_class(args.exp_file, args.name).name
    trained = Path("runs") / name / "best.pth"
    if not trained.exists():
        raise InputError(
            f"no weights are published for {name}, and {trained} does not exist; give a "
            f"checkpoint with -c, or train one: python tools/train.py -n {name} data_dir=..."
        )
    logger.info("taking {}", trained)
    return load_checkpoint(trained)


def _pictures(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"--path {path}: no such file or folder")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_ENDINGS)
    if not found:
        raise InputError(f"--path {path}: no picture in this folder ({', '.join(IMAGE_ENDINGS)})")
    return found


def _counts(labels: list[int], checkpoint: Checkpoint) -> str:
    counts = {i: labels.count(i) for i in sorted(set(labels))}
    return ", ".join(f"{n} {checkpoint.class_names[i]}" for i, n in counts.items()) or "nothing"
