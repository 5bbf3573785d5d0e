"""``tools/convert_weights.py``: an official YOLOX checkpoint to one of otadet."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.cli.common import add_experiment_arguments, chosen_exp, output_folder
from otadet.data.coco_classes import COCO_CLASSES
from otadet.engine.checkpoint import save_checkpoint
from otadet.errors import InputError
from otadet.models import convert_yolox, is_folded, load_state, read_yolox


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        "convert_weights.py",
        description="Turn an official YOLOX checkpoint into one that eval and demo take with -c.",
        epilog="python tools/convert_weights.py -n yolox_s -c yolox_s.pth",
    )
    add_experiment_arguments(p)
    p.add_argument("-c", "--checkpoint", required=True, metavar="FILE", help="official .pth file")
    p.add_argument(
        "-o", "--output", metavar="FILE", help="default: runs/<experiment>/converted.pth"
    )
    p.add_argument(
        "--classes", metavar="NAMES", help="with commas, in the network's order; default: COCO's 80"
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Convert, check against the experiment's network, and write."""
    args = parser().parse_intermixed_args(argv)
    exp = chosen_exp(args)
    if exp is None:
        return 0
    classes = _class_names(args.classes)
    official = read_yolox(Path(args.checkpoint))
    bias = official.get("head.cls_preds.0.bias")
    if bias is not None and len(bias) != len(classes):
        raise InputError(
            f"{args.checkpoint}: its network has {len(bias)} classes, {len(classes)} names are "
            f"given; name them in its order with --classes a,b,c"
        )
    model = exp.build_model(len(classes))
    load_state(model, convert_yolox(official), f"{args.checkpoint}, for {exp.name}")
    target = Path(args.output) if args.output else output_folder(None, exp.name) / "converted.pth"
    save_checkpoint(
        target,
        experiment=exp.name,
        settings=exp.as_dict(),
        class_names=classes,
        weights=model.state_dict(),
        step=0,
        metrics={},
    )
    logger.info("wrote {}: {} with {} classes", target, exp.name, len(classes))
    if is_folded(official):
        logger.warning(
            "{}: its BatchNorm is folded into the convolutions: fit for detection, not for "
            "training, which wants statistics of the data",
            args.checkpoint,
        )
    return 0


def _class_names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return COCO_CLASSES
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise InputError(f"--classes: expected different names with commas, got {text!r}")
    return names
