"""What a network starts a run with: classification weights, or another network's, and what of it
is to stay as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from loguru import logger
from torch import Tensor

from otadet import dist
from otadet.data import Dataset, collate
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.partial_load import load_partial
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.models import Detector, is_folded, unfold_norms
from otadet.rng import generator

PICTURES = 64
"""So many training pictures, spread over the data, say what the statistics of a folded BatchNorm
are. The statistics of 64 pictures are within a few percent of those of thousands: each gives
hundreds of cells a channel even at stride 32."""

_BATCH = 8


def infer_settings(exp: BaseExp, data: Dataset) -> BaseExp:
    """The experiment with what its training set alone could say: whether boxes are those of whole
    objects (CrowdHuman's). A checkpoint tells demo and API so, which read no annotations."""
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
    """Give a fresh network its first weights and freeze what the experiment wants frozen.

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
        _init_from(open_weights(weights, exp), model, exp, data, device)
    elif not resume:
        exp.load_pretrained(model)
    model.freeze(exp.freeze)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not learning:
        raise InputError(f"freeze={','.join(exp.freeze)}: nothing is left that learns")
    if exp.freeze:
        total = sum(p.numel() for p in model.parameters())
        logger.info(
            "frozen: {}; {:.2f} of {:.2f} M parameters learn",
            ", ".join(exp.freeze), learning / 1e6, total / 1e6,
        )  # fmt: skip


def _init_from(
    checkpoint: Checkpoint, model: Detector, exp: BaseExp, data: Dataset, device: torch.device
) -> None:
    report = load_partial(model, checkpoint, data.class_names)
    logger.info(
        "starting from {}: {:.0%} of the network's weights\n{}",
        checkpoint.path, report.share, report,
    )  # fmt: skip
    exp.check_start(model, report.loaded, str(checkpoint.path))
    if is_folded(checkpoint.weights):
        model.to(device)
        count = 0
        if dist.is_main():
            count = unfold_norms(model, _plain_batches(data, exp, device))
        dist.broadcast_module(model)
        logger.info(
            "its BatchNorm was folded into the convolutions; the statistics of {} norms are now "
            "those of {} training pictures", count, min(PICTURES, len(data)),
        )  # fmt: skip


def _plain_batches(data: Dataset, exp: BaseExp, device: torch.device) -> Iterator[Tensor]:
    """Training pictures as evaluation would see them, always the same."""
    transform = exp.build_val_transform()
    chosen = np.linspace(0, len(data) - 1, min(PICTURES, len(data))).astype(int)
    for first in range(0, len(chosen), _BATCH):
        samples = [
            transform(data.load(int(i)), generator(0)) for i in chosen[first : first + _BATCH]
        ]
        yield collate(samples).images.to(device)
