"""Synthetic scenes for benchmarks: objects, and predictions of a half-trained detector for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otadet.points import grid_points
from otadet.types import GridLevel, Predictions, Target

FPN = (8, 16, 32, 64, 128)


@dataclass(frozen=True)
class SceneSpec:
    """What a scene is like.

    Attributes:
        size: side of the square image in pixels.
        objects: objects an image.
        classes: number of classes.
        batch: number of images.
        crowded: objects stand in a cluster and overlap, instead of anywhere.
        seed: of the generator.
    """

    size: int = 640
    objects: int = 35
    classes: int = 80
    batch: int = 1
    crowded: bool = False
    seed: int = 0


def make_scene(spec: SceneSpec) -> tuple[Predictions, list[Target]]:
    """Predictions and targets of a batch, on the CPU, float32.

    Every point predicts the box of an object that it lies in, off by a tenth or so of its size,
    and prefers the object's class, both with noise; elsewhere it predicts anything.
    """
    rng = torch.Generator().manual_seed(spec.seed)
    grid = [GridLevel(-(-spec.size // s), -(-spec.size // s), s) for s in FPN]
    points = grid_points(grid)
    images = [_one_image(spec, points.xy, points.stride, rng) for _ in range(spec.batch)]
    boxes = torch.stack([i[0] for i in images])
    preds = Predictions(
        boxes=boxes,
        cls_logits=torch.stack([i[1] for i in images]),
        quality_logits=torch.randn(boxes.shape[:2], generator=rng),
        deltas=torch.zeros_like(boxes),
        points=points,
    )
    return preds, [i[2] for i in images]


def _objects(spec: SceneSpec, rng: torch.Generator) -> Target:
    count, size = spec.objects, float(spec.size)
    side = size * (0.04 + 0.3 * torch.rand(count, generator=rng).square())
    shape = torch.exp(0.4 * torch.randn(count, generator=rng))
    wh = torch.stack([side * shape.rsqrt(), side * shape.sqrt()], dim=1)
    center = size * torch.rand((count, 2), generator=rng)
    if spec.crowded:
        center = size * (0.5 + 0.16 * torch.randn((count, 2), generator=rng))
        wh = wh.clamp(min=0.08 * size)
    box = torch.cat([center - wh / 2, center + wh / 2], dim=1).clamp(0, size)
    box[:, 2:] = torch.maximum(box[:, 2:], box[:, :2] + 4)
    labels = torch.randint(spec.classes, (count,), generator=rng)
    return Target(box, labels)


def _one_image(
    spec: SceneSpec, xy: Tensor, stride: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor, Target]:
    target = _objects(spec, rng)
    total = len(xy)
    inside = (
        (xy[:, None] > target.boxes[None, :, :2]) & (xy[:, None] < target.boxes[None, :, 2:])
    ).all(dim=-1)
    pick = (inside * torch.rand(inside.shape, generator=rng)).max(dim=1)
    noise = torch.randn((total, 4), generator=rng)
    theirs = target.boxes[pick.indices]
    size = (theirs[:, 2:] - theirs[:, :2]).repeat(1, 2)
    anything = torch.cat([xy, xy], dim=1)
    anything = anything + stride[:, None] * torch.tensor([-2.0, -2.0, 2.0, 2.0]) * (
        0.5 + torch.rand((total, 1), generator=rng)
    )
    found = (pick.values > 0)[:, None]
    boxes = torch.where(found, theirs + 0.12 * size * noise, anything + stride[:, None] * noise)
    boxes = torch.cat(
        [torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])], 1
    )
    logits = -4 + torch.randn((total, spec.classes), generator=rng)
    boost = (2 + 2 * torch.randn(total, generator=rng)) * found[:, 0]
    logits[torch.arange(total), target.labels[pick.indices]] += boost
    return boxes, logits, target
