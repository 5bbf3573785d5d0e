"""Small random scenes for the tests of assigners."""

from __future__ import annotations

import torch
from torch import Tensor

from otadet.assign import (
    ATSS,
    LLA,
    OTA,
    PAA,
    TAL,
    Assigner,
    CenterBox,
    ClosestPerLevel,
    Exact,
    FCOSAssigner,
    FixedK,
    Hungarian,
    MaxIoU,
    Newton,
    ResolveAmbiguous,
    SimOTA,
    TopK,
)
from otadet.points import grid_points
from otadet.types import GridLevel, Points, Predictions, Target
from otadet_methods.anchor_bag import AnchorBag
from otadet_methods.foveabox import FoveaBox
from otadet_methods.fsaf import FSAF

SMALL = (GridLevel(8, 10, 8), GridLevel(4, 5, 16), GridLevel(2, 3, 32))

ASSIGNERS: dict[str, Assigner] = {
    "ota": OTA(),
    "ota newton": OTA(match=Newton()),
    "ota exact": OTA(match=Exact()),
    "ota hungarian": OTA(match=Hungarian()),
    "ota topk": OTA(match=TopK()),
    "ota paper prior": OTA(prior=ClosestPerLevel(3), supply=FixedK(4)),
    "ota paper": OTA.paper(q=5),
    "ota raised": OTA(prior=CenterBox(2.5, least=16)),
    "ota min area": OTA(match=ResolveAmbiguous("min_area")),
    "ota max iou": OTA(match=ResolveAmbiguous("max_iou")),
    "ota min loss": OTA(match=ResolveAmbiguous("min_loss")),
    "simota repaired": SimOTA(min_positives=1),
    "simota union repaired": SimOTA.union(min_positives=1),
    "fcos": FCOSAssigner(),
    "fcos without centre": FCOSAssigner(radius=None),
    "atss": ATSS(),
    "max iou": MaxIoU(),
    "paa": PAA(),
    "tal": TAL(),
    "lla": LLA(),
    "foveabox": FoveaBox(),
    "fsaf": FSAF(),
    "bag": AnchorBag(),
}
AS_PUBLISHED: dict[str, Assigner] = {
    "simota": SimOTA(), "simota union": SimOTA.union(), "simota yolox": SimOTA.yolox(),
}  # fmt: skip


def random_boxes(rng: torch.Generator, count: int, size: float = 80.0) -> Tensor:
    """``[count, 4]`` boxes, some of them partly outside the image."""
    center = size * torch.rand((count, 2), generator=rng)
    half = 2 + 22 * torch.rand((count, 2), generator=rng)
    return torch.cat([center - half, center + half], dim=1)


def predictions(points: Points, targets: list[Target], classes: int, seed: int) -> Predictions:
    """A half-trained detector's: near an object in most places, noise elsewhere."""
    rng = torch.Generator().manual_seed(seed)
    boxes, logits = [], []
    for target in targets:
        total = len(points)
        anything = points.xy.repeat(1, 2) + points.stride[:, None] * torch.tensor([-2.0, -2, 2, 2])
        box = anything + points.stride[:, None] * torch.randn((total, 4), generator=rng)
        logit = -3 + torch.randn((total, classes), generator=rng)
        if len(target):
            pick = torch.randint(len(target), (total,), generator=rng)
            size = (target.boxes[pick, 2:] - target.boxes[pick, :2]).repeat(1, 2)
            noise = 0.2 * torch.randn((total, 4), generator=rng)
            near = torch.rand(total, generator=rng) < 0.7
            box = torch.where(near[:, None], target.boxes[pick] + size * noise, box)
            logit[torch.arange(total), target.labels[pick]] += 2 * near.float()
        low, high = torch.minimum(box[:, :2], box[:, 2:]), torch.maximum(box[:, :2], box[:, 2:])
        boxes.append(torch.cat([low, high], dim=1))
        logits.append(logit)
    stacked = torch.stack(boxes)
    return Predictions(
        stacked,
        torch.stack(logits),
        torch.randn(stacked.shape[:2], generator=rng),
        torch.zeros_like(stacked),
        points,
    )


def scene(
    counts: tuple[int, ...] = (4,), classes: int = 3, seed: int = 0, grid=SMALL
) -> tuple[Predictions, list[Target]]:
    rng = torch.Generator().manual_seed(seed)
    targets = [
        Target(random_boxes(rng, n), torch.randint(classes, (n,), generator=rng)) for n in counts
    ]
    return predictions(grid_points(grid), targets, classes, seed), targets


def crowd(objects: int, classes: int, seed: int) -> tuple[Predictions, list[Target]]:
    """Overlapping objects on a larger grid."""
    rng = torch.Generator().manual_seed(seed)
    center = 96 + 30 * torch.randn((objects, 2), generator=rng)
    half = 12 + 20 * torch.rand((objects, 2), generator=rng)
    boxes = torch.cat([center - half, center + half], dim=1)
    labels = torch.randint(classes, (objects,), generator=rng)
    targets = [Target(boxes, labels)]
    grid = (GridLevel(24, 24, 8), GridLevel(12, 12, 16), GridLevel(6, 6, 32), GridLevel(3, 3, 64))
    return predictions(grid_points(grid), targets, classes, seed), targets
