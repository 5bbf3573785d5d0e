"""Initial weights of a run, and frozen layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from loguru import logger
from torch import Tensor

from otadet import dist
from otadet.data import Dataset, collate
from otadet.data.wrapped import innermost
from otadet.engine.checkpoint import Checkpoint, log_provenance
from otadet.engine.partial_load import load_partial
from otadet.engine.run_directory import FILE_ONLY
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.exp.values import as_word
from otadet.models import Detector, is_folded, unfold_norms
from otadet.rng import generator
from otadet.texts import indented

IMAGES = 64
"""Training images from which the statistics of folded BatchNorm are estimated. 64 are within a few
percent of thousands: each gives hundreds of cells per channel even at stride 32."""

_BATCH = 8


def infer_settings(exp: BaseExp, data: Dataset) -> BaseExp:
    """Return the experiment with settings inferred from the training set: ``amodal``, tiles.

    The checkpoint passes them on to demo and API, which read no annotations.
    """
    if exp.auto_tiles:
        choice = exp.tile_choice(innermost(data))
        before, exp = exp, exp.with_tiles(choice.tiling)
        if dist.is_main():
            overlap = as_word(before.tile_overlap)
            logger.info("tile={} tile_overlap={}: {}", before.tile, overlap, choice.reason)
    if exp.amodal is not None or not len(data) or not data.ground_truth(0).amodal:
        return exp
    return exp.changed(amodal=True)


def init_weights(
    model: Detector,
    exp: BaseExp,
    data: Dataset,
    device: torch.device,
    *,
    weights: Path | None = None,
    resume: bool = False,
) -> None:
    """Load the initial weights of a network and freeze the experiment's frozen layers.

    Args:
        model: changed in place; on ``device`` afterwards where data had to go through it.
        exp: the experiment.
        data: training set.
        device: of this process.
        weights: of ``-c``; without them the experiment's own.
        resume: the weights come later, from the run itself.

    Raises:
        InputError: where the weights do not fit, or the settings cannot be kept.
    """
    if weights is not None:
        _init_from(open_weights(weights, type(exp)), model, exp, data, device)
    elif not resume:
        exp.load_pretrained(model)
    model.freeze(exp.freeze)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not learning:
        raise InputError(f"freeze={','.join(exp.freeze)}: no trainable parameter is left")
    if exp.freeze:
        total = sum(p.numel() for p in model.parameters())
        logger.info(
            "frozen: {}; {:.2f} of {:.2f} M parameters learn",
            ", ".join(exp.freeze), learning / 1e6, total / 1e6,
        )  # fmt: skip


def _init_from(
    checkpoint: Checkpoint, model: Detector, exp: BaseExp, data: Dataset, device: torch.device
) -> None:
    log_provenance(checkpoint)
    report = load_partial(model, checkpoint, data.class_names)
    logger.info(
        "starting from {}: {:.0%} of the network's weights\n{}",
        checkpoint.path, report.share, indented(report.summary()),
    )  # fmt: skip
    logger.bind(**{FILE_ONLY: True}).info("\n{}", indented(report.table()))
    exp.check_start(model, report.loaded, str(checkpoint.path))
    if is_folded(checkpoint.weights):
        model.to(device)
        count = 0
        if dist.is_main():
            count = unfold_norms(model, _plain_batches(data, exp, device))
        dist.broadcast_module(model)
        logger.info(
            "its BatchNorm was folded into the convolutions; the statistics of {} norms were "
            "estimated from {} training images", count, min(IMAGES, len(data)),
        )  # fmt: skip


def _plain_batches(data: Dataset, exp: BaseExp, device: torch.device) -> Iterator[Tensor]:
    """Yield a fixed set of training images, preprocessed as in evaluation."""
    transform = exp.build_val_transform()
    chosen = np.linspace(0, len(data) - 1, min(IMAGES, len(data))).astype(int)
    for first in range(0, len(chosen), _BATCH):
        samples = [
            transform(data.load(int(i)), generator(0)) for i in chosen[first : first + _BATCH]
        ]
        yield collate(samples).images.to(device)
