"""The largest batch that a GPU's memory holds, measured with the densest images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from otadet.data import Dataset, RowsDataset, collate
from otadet.engine.devices import memory_layout
from otadet.engine.precision import Precision
from otadet.exp import BaseExp
from otadet.rng import generator
from otadet.types import Batch

SIZES = (4, 8, 16, 32, 64)
SHARE = 0.8
"""Of the GPU's memory that a step may take."""

_DENSEST = 8


def largest_batch(exp: BaseExp, device: torch.device, precision: Precision) -> int:
    """Return the largest of :data:`SIZES` whose step takes at most :data:`SHARE` of the memory.

    The memory of assignment grows with the objects, so the steps are of the images with the most.
    The smallest size is returned where none fits; the run says what is missing.
    """
    data = densest(exp.changed(cache="none").build_train_data())
    total = torch.cuda.get_device_properties(device).total_memory
    best = SIZES[0]
    for size in SIZES:
        try:
            taken = step_memory(exp, densest_batch(exp, data, size), device, precision)
        except torch.OutOfMemoryError:
            break
        finally:
            torch.cuda.empty_cache()
        if taken > SHARE * total:
            break
        best = size
    return best


def densest(data: Dataset) -> Dataset:
    """Return the images with the most objects."""
    counts = np.array([len(data.ground_truth(i).labels) for i in range(len(data))])
    return RowsDataset(data, np.argsort(-counts, kind="stable")[:_DENSEST])


def densest_batch(exp: BaseExp, data: Dataset, size: int) -> Batch:
    """Make a training batch of the largest input, its mosaics of these images alone."""
    make = exp.train_sample_builder(exp.build_size_rule().sizes[-1])
    return collate([make(data, i % len(data), generator(0, i)) for i in range(size)])


def step_memory(exp: BaseExp, batch: Batch, device: torch.device, precision: Precision) -> int:
    """Take a training step of a fresh network and return the largest memory in use, bytes.

    Zero where there is no GPU to ask.
    """
    classes = exp.num_classes or 1 + int(max(_largest(t.labels) for t in batch.targets))
    model = exp.build_model(classes).train()
    model.to(device=device, memory_format=memory_layout(device))  # type: ignore[call-overload]
    optimizer, batch = exp.build_optimizer(model), batch.to(device)
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):  # the optimizer's state is made in the first
        with precision.autocast():
            predictions = model(batch.images)
        exp.build_criterion()(predictions, batch.targets).total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return torch.cuda.max_memory_allocated(device) if gpu else 0


def _largest(labels: Tensor) -> int:
    return int(labels.max()) if len(labels) else 0
