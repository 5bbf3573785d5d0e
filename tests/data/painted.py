"""A data set whose every object is a rectangle of a colour of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otadet.data.base import shrunk_sample
from otadet.geometry import Size
from otadet.types import GroundTruth, Sample

GROUND = (20, 20, 20)


def colour(label: int) -> tuple[int, int, int]:
    """At least 63 levels in some channel from every other; the red says how much of it there is."""
    return 255, (0, 64, 128, 192, 255)[label // 4], 85 * (label % 4)


@dataclass(frozen=True)
class Painted:
    """Image ``i`` holds the labels ``4 i .. 4 i + 3``, one rectangle in each quarter."""

    image_sizes: tuple[Size, ...] = ((90, 120), (160, 100), (64, 64), (200, 300), (40, 90))

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(str(i) for i in range(4 * len(self)))

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        return np.array(self.image_sizes, np.int64)

    @property
    def skipped(self) -> dict[str, int]:
        return {}

    def __len__(self) -> int:
        return len(self.image_sizes)

    def ground_truth(self, index: int) -> GroundTruth:
        height, width = self.image_sizes[index]
        quarters = [(x, y) for y in (0, height // 2) for x in (0, width // 2)]
        boxes = np.array(
            [(x + 4, y + 3, x + width // 2 - 5, y + height // 2 - 2) for x, y in quarters],
            np.float32,
        )
        labels = np.arange(4, dtype=np.int64) + 4 * index
        areas = np.ones(4)
        return GroundTruth(index, f"{index}.png", (height, width), boxes, labels, boxes[:1], areas)

    def load(self, index: int) -> Sample:
        gt = self.ground_truth(index)
        image = np.full((*gt.size, 3), GROUND, np.uint8)
        for (x1, y1, x2, y2), label in zip(gt.boxes.astype(int), gt.labels.tolist()):
            image[y1:y2, x1:x2] = colour(label)
        return shrunk_sample(gt, image)


def extent(image: npt.NDArray[np.uint8], label: int) -> list[int] | None:
    """Where a colour is; a pixel counts that has nine tenths of it."""
    distance = np.abs(image.astype(int) - colour(label)).max(axis=2)
    y, x = np.nonzero(distance < 25)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1] if len(x) else None
