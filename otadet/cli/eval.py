"""``tools/eval.py``: evaluate a checkpoint or an exported file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from loguru import logger

from otadet.cli.common import (
    find_checkpoint,
    output_folder,
    results_folder,
    select_experiment,
)
from otadet.cli.eval_errors import FILE as ERRORS
from otadet.cli.eval_errors import report_errors
from otadet.cli.onnx_file import evaluate_onnx, exp_of
from otadet.cli.parsers.eval import parser
from otadet.data import Dataset
from otadet.data.summary import summary_lines
from otadet.engine.devices import parse_devices
from otadet.engine.evaluate import evaluate
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor
from otadet.engine.run_directory import METRICS, is_run, write_metrics
from otadet.errors import InputError
from otadet.evaluation import (
    Evaluation,
    Evaluator,
    OperatingPoint,
    SavedEvaluation,
    format_table,
    operating_points,
)
from otadet.evaluation.saved import FILE as DETECTIONS
from otadet.exp import BaseExp
from otadet.export import OnnxDetector, require_onnxruntime
from otadet.outputs import Inputs, OutputFolder
from otadet.texts import indented
from otadet.visualize.operating_points import (
    PLOTS,
    draw_operating,
    require_matplotlib,
    write_operating,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Evaluate and write ``metrics.json``."""
    if args.batch_size < 1:
        raise InputError(f"-b {args.batch_size}: expected at least one image a step")
    _check_output(args.output)
    if args.plots:
        require_matplotlib("--plots")
    subject = _of_onnx(args) if args.onnx else _of_checkpoint(args)
    if subject is None:
        return 0
    evaluation = subject.evaluation
    for note in evaluation.notes:
        logger.warning(note)
    table = indented(format_table(evaluation))
    logger.info("{}: {} images\n{}", subject.path, subject.images, table)
    if evaluation.operating_point:
        logger.info("{}{}", evaluation.operating_point, _carried(subject))
    outputs = subject.outputs
    logger.info("wrote {}", write_metrics(outputs.path, evaluation.metrics, outputs.atomic))
    if args.save_detections:  # last: where this file is, the evaluation is complete
        found = subject.evaluator
        saved = SavedEvaluation(found.gts, found.class_names, found.state())
        saved.save(outputs.path / DETECTIONS, outputs.atomic)
    if args.errors:
        report_errors(subject.evaluator, outputs)
    if args.plots:
        _plots(subject.evaluator, outputs, args.csv_guard)
    return 0


def _check_output(path: str | None) -> None:
    """Refuse an unusable output folder before the evaluation starts."""
    if path and is_run(output_folder(path, "")):
        raise InputError(
            f"-o {path}: is a run directory, whose metrics.json and plots would be replaced; name "
            "another folder, or omit -o: results go to eval/ in the run directory"
        )


def _outputs(args: argparse.Namespace, folder: Path, weights: Path) -> OutputFolder:
    """Check the names of the results before the evaluation starts."""
    names = [METRICS, *([DETECTIONS] if args.save_detections else [])]
    names += [ERRORS] if args.errors else []
    names += [f"plots/{name}" for name in PLOTS if args.plots]
    outputs = OutputFolder(folder, Inputs([weights]))
    outputs.check(names)
    return outputs


def _carried(subject: _Evaluated) -> str:
    """Describe the checkpoint's score threshold where it differs by more than rounding."""
    mine, found = subject.carried, subject.evaluation.operating_point
    if mine is None or found is None or abs(mine.score - found.score) < 0.01:
        return ""
    return f"; {subject.path} carries {mine.score:.3f}"


def _plots(evaluator: Evaluator, outputs: OutputFolder, guard: bool) -> None:
    """Write curves and confusion matrices, and log precision and recall at the threshold."""
    found = operating_points(evaluator.gts, evaluator.class_names, evaluator.state())
    folder = outputs.path / "plots"
    written = write_operating(found, folder, outputs.atomic, guard)
    written += draw_operating(found, folder, outputs.atomic)
    total = found.total
    logger.info("wrote {} in {}", ", ".join(path.name for path in written), folder)
    if found.point is None:
        logger.warning("no true positive at IoU 0.5: no score threshold to recommend")
        return
    tp = int(found.confusion.diagonal()[:-1].sum())
    fp = int(found.confusion[:, :-1].sum()) - tp
    logger.info(
        "precision {:.3f}, recall {:.3f} at that score threshold: --conf {:.3f} for demo",
        tp / (tp + fp), tp / total.objects, found.point.score,
    )  # fmt: skip


class _Evaluated(NamedTuple):
    """Result of evaluating one file; ``carried`` is the operating point stored in it."""

    path: Path
    outputs: OutputFolder
    images: int
    evaluation: Evaluation
    evaluator: Evaluator
    carried: OperatingPoint | None = None


def _val_data(exp: BaseExp, class_names: tuple[str, ...]) -> Dataset:
    dataset = exp.build_val_data(class_names)
    for line in summary_lines(dataset, "val"):
        logger.info("{}", line)
    return dataset


def _of_checkpoint(args: argparse.Namespace) -> _Evaluated | None:
    checkpoint = find_checkpoint(args)
    exp = select_experiment(args, checkpoint)
    if exp is None:
        return None
    devices = parse_devices(args.device)
    if len(devices) != 1:
        raise InputError(f"-d {args.device}: evaluation runs on one device")
    folder = results_folder(args.output, "eval", checkpoint, exp.name)
    outputs = _outputs(args, folder, checkpoint.path)
    device = devices.device(0)
    dataset = _val_data(exp, checkpoint.class_names)
    precision = choose_precision(args.precision, device.type, auto=False)
    model = Predictor.from_checkpoint(checkpoint, exp, device, precision, fused=args.fuse).model
    evaluator = exp.build_evaluator(dataset)
    augmentation = exp.build_augmentation()
    if augmentation is not None:
        logger.info("tta={}: {} passes per image", exp.tta, len(augmentation.views))
    evaluation = evaluate(
        model,
        dataset,
        exp,
        device,
        precision,
        args.batch_size,
        evaluator=evaluator,
        augmentation=augmentation,
    )
    return _Evaluated(
        checkpoint.path, outputs, len(dataset), evaluation, evaluator, checkpoint.operating_point
    )


def _of_onnx(args: argparse.Namespace) -> _Evaluated | None:
    for option, value in (
        ("-c", args.checkpoint), ("-n", args.name), ("-d", args.device),
        (f"--{args.precision}", args.precision), ("--fuse", args.fuse),
    ):  # fmt: skip
        if value:
            raise InputError(f"{option}: not with --onnx, whose file states it")
    require_onnxruntime()
    path = Path(args.onnx)
    detector = OnnxDetector.open(path)
    exp = exp_of(detector, args)
    if exp is None:
        return None
    if exp.tta != "none":
        logger.warning("tta={}: ignored, an exported file takes one pass", exp.tta)
    outputs = _outputs(args, output_folder(args.output, f"{exp.name}_onnx"), path)
    dataset = _val_data(exp, detector.class_names)
    evaluator = exp.build_evaluator(dataset)
    evaluation = evaluate_onnx(detector, dataset, exp, args.batch_size, evaluator=evaluator)
    return _Evaluated(path, outputs, len(dataset), evaluation, evaluator)
