"""``tools/report.py``: write the page of a run anew."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.cli.parsers.report import parser
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.devices import parse_devices
from otadet.engine.evaluate import evaluate
from otadet.engine.periodic_evaluation import BEST_DETECTIONS
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor
from otadet.engine.run_directory import is_running
from otadet.evaluation import SavedEvaluation
from otadet.run_report import Subject, gather, open_run, write_page

_BATCH = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Write ``report.html``."""
    folder = Path(args.run)
    subject = open_run(folder, args.exp_file, args.overrides)
    if not (folder / BEST_DETECTIONS).exists() and not is_running(folder):
        _detect(subject, args.device)
    report = gather(subject)
    for what, reason in report.missing.items():
        logger.warning("left out: {}: {}", what, reason)
    logger.info("wrote {}", write_page(report))
    return 0


def _detect(subject: Subject, device_word: str | None) -> None:
    """Detect with ``best.pth`` on the validation set, for runs that kept no detections."""
    best = subject.folder / "best.pth"
    if subject.exp is None or subject.val_data is None or not best.exists():
        return
    logger.info("{} is missing: evaluating {}", subject.folder / BEST_DETECTIONS, best)
    checkpoint, exp, data = load_checkpoint(best), subject.exp, subject.val_data
    device = parse_devices(device_word).device(0)
    precision = choose_precision(None, device.type, auto=False)
    model = Predictor.from_checkpoint(checkpoint, exp, device, precision).model
    evaluator = exp.build_evaluator(data)
    evaluate(model, data, exp, device, precision, _BATCH, evaluator=evaluator)
    found = SavedEvaluation(evaluator.gts, evaluator.class_names, evaluator.state())
    found.save(subject.folder / BEST_DETECTIONS)
