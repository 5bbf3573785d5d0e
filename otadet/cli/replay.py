"""``tools/replay.py``: find the first non-finite tensor of a training step."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.cli.parsers.replay import parser
from otadet.engine.replay import NonFiniteTensor, assignment_reports, replay
from otadet.engine.replay_bundle import ReplayBundle, read_bundle
from otadet.exp import BaseExp, load_class, load_named


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Replay in the run's precision and in float64, and log what is found."""
    bundle = read_bundle(Path(args.bundle))
    exp = _experiment(bundle, args.exp_file)
    verb = "were" if bundle.what == "predictions" else "was"
    logger.info(
        "{}, step {}, rank {}, {}: the {} {} not finite; {} images",
        bundle.experiment, bundle.step, bundle.rank, bundle.precision, bundle.what, verb,
        len(bundle.batch),
    )  # fmt: skip
    own = None
    try:
        _log_assignment(bundle, exp)
        own = replay(bundle, exp, double=False)
        logger.info("{}: {}", bundle.precision, own or "everything is finite")
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        logger.warning("{}: not supported by this CPU ({})", bundle.precision, first)
    double = replay(bundle, exp, double=True)
    logger.info("float64: {}", double or "everything is finite")
    logger.info("{}", _verdict(bundle, own, double))
    return 0


def _experiment(bundle: ReplayBundle, file: str | None) -> BaseExp:
    # Never the file that the bundle names: a bundle from elsewhere must not choose what runs here.
    if file is not None:
        return load_class(file)(bundle.settings)
    what = f"bundle {bundle.path} (its file during the run: {bundle.exp_file})"
    return load_named(bundle.experiment, what, bundle.path.parent)(bundle.settings)


def _log_assignment(bundle: ReplayBundle, exp: BaseExp) -> None:
    images = objects = converged = 0
    supply = received = uncovered = error = 0.0
    for ids, report in assignment_reports(bundle, exp):
        images += len(ids)
        objects += sum(len(t) for t in report.supply)
        supply += sum(float(t.sum()) for t in report.supply)
        received += sum(float(t.sum()) for t in report.received)
        uncovered += float(report.uncovered.sum())
        error = max(error, float(report.marginal_error.max()))
        converged += int(report.converged.sum())
    if not images:
        logger.info("assignment: no image has finite predictions")
        return
    logger.info(
        "assignment of {} images with finite predictions: {} objects, supply {:.1f}, received "
        "{:.1f} points, {:g} objects without a candidate, marginal error {:.2g}, {} converged",
        images, objects, supply, received, uncovered, error, converged,
    )  # fmt: skip


def _verdict(
    bundle: ReplayBundle, own: NonFiniteTensor | None, double: NonFiniteTensor | None
) -> str:
    if double is not None:
        return (
            f"not a matter of precision: check {double.what}, the image and its boxes, and whether "
            "the weights had diverged before (lower lr, clip_grad=10)"
        )
    if own is not None:
        wider = "" if bundle.precision == "fp32" else "fp32, "
        return (
            f"finite in float64: an overflow of {bundle.precision} at {own.what}; try "
            f"{wider}a lower lr or clip_grad=10"
        )
    return (
        f"finite in both: not reproduced on the CPU; the run was in {bundle.precision} on another "
        "device or its loss was scaled; try fp32 or --bf16 there"
    )
