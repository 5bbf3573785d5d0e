"""Latency of each stage of detection: read, resize, network, postprocess."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from otadet.data import read_image
from otadet.engine.predictor import Image, Predictor

T = TypeVar("T")

STAGES = ("read", "resize", "network", "postprocess")


@dataclass(frozen=True)
class StageTime:
    """Latency of one stage over all repeats.

    Attributes:
        stage: its name, or ``all``.
        median: milliseconds a batch.
        p95: the same, the value that 95 % stay below.
        images_per_second: batch size over the median.
    """

    stage: str
    median: float
    p95: float
    images_per_second: float


def measure(
    predictor: Predictor, paths: list[Path], batch_size: int, repeats: int, warmup: int
) -> list[StageTime]:
    """Measure every stage on batches of these files, one after the other.

    Each stage ends with a synchronisation. In use, reading runs in parallel to the network.

    Args:
        predictor: network and settings.
        paths: of images, taken in turn.
        batch_size: images in a forward pass.
        repeats: batches that are timed.
        warmup: batches before, which are not.

    Returns:
        One entry for each of :data:`STAGES`, then ``all``.
    """
    rows = []
    for turn in range(warmup + repeats):
        chosen = [paths[(turn * batch_size + i) % len(paths)] for i in range(batch_size)]
        row = _one(predictor, chosen)
        if turn >= warmup:
            rows.append(row)
    table = 1e3 * np.array(rows)
    table = np.column_stack([table, table.sum(axis=1)])
    median, high = np.median(table, axis=0), np.percentile(table, 95, axis=0)
    return [
        StageTime(stage, float(m), float(h), 1e3 * batch_size / float(m))
        for stage, m, h in zip((*STAGES, "all"), median, high)
    ]


def _one(predictor: Predictor, paths: list[Path]) -> list[float]:
    """Return the seconds of each stage for one batch."""

    def timed(work: Callable[[], T]) -> tuple[T, float]:
        begin = time.perf_counter()
        value = work()
        _wait(predictor.device)
        return value, time.perf_counter() - begin

    def read() -> list[Image]:
        return [read_image(path, options=predictor.exp.build_image_options()) for path in paths]

    images, reading = timed(read)
    batch, resizing = timed(lambda: predictor.prepare(images))
    predictions, network = timed(lambda: predictor.forward(batch))
    _, finishing = timed(lambda: predictor.finish(predictions, batch))
    return [reading, resizing, network, finishing]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
