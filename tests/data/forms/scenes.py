"""Six generated images of 128 x 96 with three painted rectangles each: red, green, red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 128, 96
NAMES = ("red", "green")
COLOURS = ((255, 0, 0), (0, 255, 0))
ALL, TRAIN, VAL = (0, 1, 2, 3, 4, 5), (0, 1, 2, 3), (4, 5)


@dataclass(frozen=True)
class Box:
    """A painted rectangle: class index, left, top, width and height in whole pixels."""

    label: int
    x: int
    y: int
    w: int
    h: int

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        return self.x, self.y, self.x + self.w, self.y + self.h

    @property
    def corners(self) -> list[list[int]]:
        """Clockwise from the upper left."""
        x1, y1, x2, y2 = self.xyxy
        return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]

    @property
    def flat(self) -> list[int]:
        return [side for point in self.corners for side in point]

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
        mask[self.y : self.y + self.h, self.x : self.x + self.w] = 1
        return mask


@lru_cache
def boxes(scene: int) -> tuple[Box, ...]:
    """One box in each third of the image, none within 10 px of the upper border."""
    draw = np.random.default_rng(scene)
    sides = [(int(draw.integers(20, 37)), int(draw.integers(20, 35))) for _ in range(3)]
    return tuple(
        Box(k % 2, 42 * k + int(draw.integers(2, 41 - w)), int(draw.integers(10, 94 - h)), w, h)
        for k, (w, h) in enumerate(sides)
    )


@lru_cache
def pixels(scene: int) -> npt.NDArray[np.uint8]:
    """``[96, 128, 3]`` RGB; the level of grey behind the boxes says which scene it is."""
    image = np.full((HEIGHT, WIDTH, 3), 50 + 20 * scene, np.uint8)
    for box in boxes(scene):
        image[box.y : box.y + box.h, box.x : box.x + box.w] = COLOURS[box.label]
    return image


def scene_of(image: npt.NDArray[np.uint8]) -> int:
    """Return which scene an image shows, by its upper border."""
    return round((float(image[:4].mean()) - 50) / 20)


@lru_cache
def encoded(scene: int, suffix: str = ".jpg") -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 97] if suffix == ".jpg" else []
    return cv2.imencode(suffix, pixels(scene)[..., ::-1], quality)[1].tobytes()


def put_images(folder: Path, scenes: Sequence[int] = ALL, name: str = "im{}.jpg") -> None:
    """Write scenes as JPEG, or as PNG where the name ends so."""
    for scene in scenes:
        put(folder / name.format(scene), encoded(scene, ".png" if "png" in name else ".jpg"))


def put(path: Path, content: bytes | str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))


def unchanged(record: Any) -> Any:
    return record
