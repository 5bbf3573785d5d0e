"""``tools/convert_weights.py``: convert weights of any known format to a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.cli.common import output_folder, select_experiment
from otadet.cli.own_files import check_checkpoint
from otadet.cli.parsers.convert_weights import parser
from otadet.engine.checkpoint import save_checkpoint
from otadet.engine.fitted import fitted_model
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from otadet.models import is_folded


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Convert, check against the experiment's network, and write the checkpoint."""
    named = args.exp_file is not None or args.name is not None
    exp = select_experiment(args) if named else None
    if named and exp is None:
        return 0
    cls = None if exp is None else type(exp)
    checkpoint = open_weights(args.checkpoint, cls, _class_names(args.classes))
    exp = select_experiment(args, checkpoint)
    if exp is None:
        return 0
    where = f"{args.checkpoint}, for {exp.name}"
    model = fitted_model(exp, len(checkpoint.class_names), checkpoint.weights, where)
    target = Path(args.output) if args.output else output_folder(None, exp.name) / "converted.pth"
    check_checkpoint(target, [checkpoint.path, *([Path(args.exp_file)] if args.exp_file else [])])
    save_checkpoint(
        target,
        experiment=exp.name,
        settings=exp.as_dict(),
        class_names=checkpoint.class_names,
        category_ids=checkpoint.category_ids,
        weights=model.state_dict(),
        step=checkpoint.step,
        metrics=checkpoint.metrics,
        operating_point=checkpoint.operating_point,
        provenance=checkpoint.provenance,
    )
    logger.info("wrote {}: {} with {} classes", target, exp.name, len(checkpoint.class_names))
    if is_folded(checkpoint.weights):
        logger.info("BatchNorm is folded into the convolutions; -c re-estimates its statistics")
    return 0


def _class_names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise InputError(f"--classes: expected different names with commas, got {text!r}")
    return names
