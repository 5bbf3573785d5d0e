"""``tools/replay.py``: take a step whose numbers were not finite again and say where it began."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.cli.parsers.replay import parser
from otadet.engine.replay import NonFiniteTensor, replay
from otadet.engine.replay_bundle import ReplayBundle, read_bundle
from otadet.errors import InputError
from otadet.exp import BaseExp, list_experiments, load_class


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Replay in both precisions and say what was found."""
    bundle = read_bundle(Path(args.bundle))
    exp = _experiment(bundle, args.exp_file)
    logger.info(
        "{}, step {}, rank {}, {}: the {} {} not finite; {} pictures",
        bundle.experiment, bundle.step, bundle.rank, bundle.precision, bundle.what,
        "were" if bundle.what == "predictions" else "was", len(bundle.batch),
    )  # fmt: skip
    _say_assignment(bundle)
    try:
        own = replay(bundle, exp, double=False)
        logger.info("{}: {}", bundle.precision, own or "everything is finite")
    except RuntimeError as error:
        own = None
        first = str(error).splitlines()[0]
        logger.warning("{}: this processor cannot compute in it ({})", bundle.precision, first)
    double = replay(bundle, exp, double=True)
    logger.info("float64: {}", double or "everything is finite")
    logger.info("{}", _verdict(bundle, own, double))
    return 0


def _experiment(bundle: ReplayBundle, file: str | None) -> BaseExp:
    # Never the file that the bundle names: a bundle from elsewhere must not choose what runs here.
    if file is None and bundle.experiment not in list_experiments():
        raise InputError(
            f"bundle {bundle.path}: no experiment here is called {bundle.experiment!r}; give its "
            f"file with -f (during the run it was {bundle.exp_file})"
        )
    cls = load_class(file, None if file else bundle.experiment)
    return cls(bundle.settings)


def _say_assignment(bundle: ReplayBundle) -> None:
    report = bundle.assignment
    if "supply" not in report:
        logger.info("the assigner was given no picture: the predictions of none were finite")
        return
    received, supply = (sum(float(t.sum()) for t in report[k]) for k in ("received", "supply"))
    logger.info(
        "assignment of {} pictures with finite predictions: {} objects, supply {:.1f}, received "
        "{:.1f} points, {:g} objects without a candidate, marginal error {:.2g}, {} of {} solved",
        len(report["image_ids"]), sum(len(t) for t in report["supply"]), supply, received,
        float(report["uncovered"].sum()), float(report["marginal_error"].max()),
        int(report["converged"].sum()), len(report["image_ids"]),
    )  # fmt: skip


def _verdict(
    bundle: ReplayBundle, own: NonFiniteTensor | None, double: NonFiniteTensor | None
) -> str:
    if double is not None:
        return (
            f"it is not a matter of precision: look at {double.what}, at the picture and its "
            "boxes, and whether weights grew beyond all bounds before (lower lr, clip_grad=10)"
        )
    if own is not None:
        wider = "" if bundle.precision == "fp32" else "fp32, "
        return (
            f"finite in float64: an overflow of {bundle.precision} at {own.what}; try "
            f"{wider}a lower lr or clip_grad=10"
        )
    return (
        f"finite in both: not repeated on the processor; the run was in {bundle.precision} on "
        "another device or its loss was scaled; try fp32 or --bf16 there"
    )
