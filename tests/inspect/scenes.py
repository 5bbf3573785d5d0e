"""Inspections of made-up predictions by real assigners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from otadet.assign import ATSS, OTA, Assigner, FCOSAssigner, SimOTA
from otadet.inspect import InspectedImage, Inspection, take_snapshot
from otadet.points import grid_points
from otadet.types import GridLevel, Predictions, Target
from tests.assign.scenes import predictions

ASSIGNERS: dict[str, Assigner] = {
    "ota": OTA(), "simota": SimOTA(), "atss": ATSS(), "fcos": FCOSAssigner(),
}  # fmt: skip
CLASSES = ("cell", "nucleus")


def grid(side: int) -> list[GridLevel]:
    return [GridLevel(side // s, side // s, s) for s in (8, 16, 32)]


def crowd(count: int, side: int, seed: int = 0) -> Target:
    """Objects of 16 to 80 pixels that overlap."""
    rng = torch.Generator().manual_seed(seed)
    center = side * torch.rand((count, 2), generator=rng)
    half = 8 + 32 * torch.rand((count, 2), generator=rng)
    boxes = torch.cat([center - half, center + half], dim=1).clamp(0, side)
    return Target(boxes, torch.randint(len(CLASSES), (count,), generator=rng))


def with_copies(target: Target, box: tuple[float, float, float, float], copies: int) -> Target:
    """With several small objects at one place, for which SimOTA has points for one alone."""
    boxes = torch.tensor([box]).expand(copies, 4)
    labels = torch.zeros(copies, dtype=torch.int64)
    return Target(torch.cat([target.boxes, boxes]), torch.cat([target.labels, labels]))


def tiles(count: int, side: int) -> Target:
    """``count`` x ``count`` objects side by side: every point of stride 8 lies in one."""
    edge = torch.arange(count) * (side / count)
    y, x = torch.meshgrid(edge, edge, indexing="ij")
    corner = torch.stack([x.flatten(), y.flatten()], dim=1)
    boxes = torch.cat([corner, corner + side / count], dim=1)
    return Target(boxes, torch.arange(count * count) % len(CLASSES))


def network(target: Target, side: int, seed: int = 0) -> Predictions:
    return predictions(grid_points(grid(side)), [target], len(CLASSES), seed)


def inspected(
    target: Target,
    side: int = 128,
    name: str = "image.jpg",
    assigners: dict[str, Assigner] | None = None,
    labels: Sequence[str] = ("step 10",),
) -> InspectedImage:
    assigners = assigners or ASSIGNERS
    own = next(iter(assigners.values()))
    noise = np.random.default_rng(0).integers(60, 200, (side // 8, side // 8, 3), np.uint8)
    return InspectedImage(
        name=name,
        image=noise.repeat(8, axis=0).repeat(8, axis=1),
        boxes=target.boxes.double().numpy(),
        labels=target.labels.numpy(),
        ignore_boxes=target.ignore_boxes.double().numpy(),
        points=grid_points(grid(side)),
        snapshots=tuple(
            take_snapshot(label, network(target, side, seed), target, assigners, own, "geometric")
            for seed, label in enumerate(labels)
        ),
    )


def inspection(
    *images: InspectedImage, title: str = "title", classes: Sequence[str] = CLASSES
) -> Inspection:
    return Inspection(title, tuple(classes), images)
