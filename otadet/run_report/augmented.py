"""Training images as the network gets them, after augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import torch

from otadet.data import BatchOrder, Dataset
from otadet.data.findings import counted
from otadet.engine.stages import SampleSchedule, build_stages
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.pages import Figure, jpeg_base64, shrunk
from otadet.rng import generator
from otadet.types import Sample
from otadet.visualize import draw_boxes

_SHOWN = 8  # images of all stages together
_SIDE = 480
_NAME = 16  # characters of a class name


class AugmentedGroup(NamedTuple):
    """Images of a stage of the run, from its first step on."""

    title: str
    figures: list[Figure]


def augmented_images(
    exp: BaseExp, dataset: Dataset, batch_size: int, total: int, epoch_steps: int
) -> list[AugmentedGroup]:
    """Make the first images of each stage of a run, the very ones that it trained on.

    What a sample becomes is a function of seed, step and its place in the batch. Images that cannot
    be read are left out.

    Args:
        exp: the experiment.
        dataset: training set.
        batch_size: images a step, over all processes.
        total: steps of the run.
        epoch_steps: of an epoch.
    """
    stages = build_stages(exp, total, epoch_steps)
    schedule = SampleSchedule.of(stages)
    order = BatchOrder(
        dataset.sizes, batch_size, seed=exp.seed, group_by_aspect=exp.group_by_aspect()
    )
    return [
        AugmentedGroup(
            f"from step {stage.start + 1:,} on",
            [
                _figure(sample, dataset.class_names)
                for sample in step_samples(
                    dataset, schedule, order, stage.start, max(1, _SHOWN // len(stages))
                )
            ],
        )
        for stage in stages
    ]


def step_samples(
    dataset: Dataset, schedule: SampleSchedule, order: BatchOrder, step: int, count: int
) -> Iterator[Sample]:
    """Yield the first samples of a training step; those that cannot be read are left out."""
    for request in next(order.batches(step))[:count]:
        rng = generator(order.seed, request.step, request.slot)
        with suppress(InputError):
            yield schedule(request.step)(dataset, request.image, rng)


def _figure(sample: Sample, names: Sequence[str]) -> Figure:
    image = shrunk(sample.image, _SIDE)
    boxes = torch.from_numpy(sample.boxes) * (image.shape[1] / sample.image.shape[1])
    short = [name[:_NAME] for name in names]
    drawn = draw_boxes(image, boxes, torch.from_numpy(sample.labels), short)
    height, width = sample.image.shape[:2]
    caption = f"{counted(len(boxes))}, {width} x {height} px"
    return Figure("training image", caption, jpeg_base64(drawn, 80))
