"""Evaluation of an exported ONNX file, with the data and metrics of a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from otadet.cli.common import experiment_of, select_experiment
from otadet.data import Dataset
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.evaluate import evaluate_images, evaluate_with
from otadet.engine.tiled import over_tiles
from otadet.errors import InputError
from otadet.evaluation import Evaluation, Evaluator
from otadet.exp import BaseExp, load_class
from otadet.export import OnnxDetector

FIXED = (
    "resize", "test_size", "score_rule", "score_threshold", "nms_threshold", "max_detections",
    "nms_kind", "soft_sigma", "point_labels",
)  # fmt: skip
"""Settings that are fixed in a file."""


def exp_of(detector: OnnxDetector, args: argparse.Namespace) -> BaseExp | None:
    """Load the experiment that a file names, or that of ``-f``, with the command line's settings.

    ``None`` after ``--help-settings``.

    Raises:
        InputError: a setting is fixed in the file.
    """
    origin = Checkpoint(
        path=Path(args.onnx), experiment=detector.about["experiment"],
        settings=detector.about["settings"],
        class_names=detector.class_names, weights={}, training={}, step=0, metrics={},
    )  # fmt: skip
    cls = load_class(args.exp_file) if args.exp_file else experiment_of(origin)
    for key in cls.parse(args.overrides):
        if key in FIXED:
            raise InputError(f"{key}: is fixed in the ONNX file; export it with {key}=... instead")
    return select_experiment(args, origin)


def evaluate_onnx(
    detector: OnnxDetector,
    dataset: Dataset,
    exp: BaseExp,
    batch_size: int = 1,
    evaluator: Evaluator | None = None,
) -> Evaluation:
    """Evaluate a file with its own resize, thresholds and NMS, in tiles where the settings say so.

    Args:
        detector: the file.
        dataset: with classes in the order of its outputs.
        exp: makes the evaluator and the loader.
        batch_size: images a step; the file may take them one by one.
        evaluator: by default a new one of the experiment.
    """
    tiling = exp.build_tiling()
    if tiling is not None:
        tiles = over_tiles(exp, tiling, detector, batch_size, detector.transform)
        return evaluate_images(tiles, dataset, exp, evaluator=evaluator)
    return evaluate_with(
        detector, detector.transform, dataset, exp, batch_size, evaluator=evaluator
    )
