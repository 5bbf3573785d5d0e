"""Mosaic with its affine map, mixup and copy-paste (YOLOX, Ge et al. 2021, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from otadet import geometry
from otadet.data.affine import Affine, Image, Rect, mirror, random_affine, scaling
from otadet.data.base import Dataset, load_reduced
from otadet.data.box_filter import BoxFilter, Objects, join
from otadet.data.canvas import blank_canvas, fitted, halvings, paint_image
from otadet.data.color import HSVShift
from otadet.data.copy_paste import CopyPaste, copy_paste
from otadet.data.mixup import mixup
from otadet.data.transforms import PAD, Transform, flip, resize
from otadet.data.turns import RandomTurn
from otadet.errors import InputError
from otadet.geometry import Geometry, Size
from otadet.types import Sample


@dataclass(frozen=True)
class Mosaic:
    """Sample builder: four images around a random centre, rotated and scaled, mixed with a fifth.

    The geometry is that of YOLOX: each image is fit into ``size``, the four lie around a point
    that is drawn from the central half of a page of twice the size, and one affine map takes the
    page into the output (:func:`~otadet.data.affine.random_affine`; its origin is the page's
    corner, so the requested image, at the top left, covers most). The page is never filled: each
    image is warped once, straight into the output, and one that is not visible is not read.

    A sample of several images has no map back to an image, so its geometry is the identity of
    ``size``; ``image_id`` is that of the requested image. ``dropped`` counts objects that became
    ignore regions, see :class:`~otadet.data.box_filter.BoxFilter`.

    Attributes:
        size: height and width of the output.
        p: probability of a mosaic; otherwise the image alone, letterboxed, with ``color`` and
            ``flip``.
        mixup: probability of mixup in a mosaic that has objects.
        degrees, translate, scale, shear: of the affine map. YOLOX's nano and tiny have a
            ``scale`` of (0.5, 1.5).
        mixup_scale: factor of the image that is mixed in.
        color: jitter of the finished image; None for none.
        flip: probability of a mirror image.
        turn: vertical flips and quarter turns of every image before it is laid out.
        copy_paste: probability that objects of another image are pasted into a mosaic.
        paste: how they are pasted.
        keep: which objects that were cut or shrunk stay objects.
        fill: grey value where no image is.

    Raises:
        InputError: a setting is out of range.
    """

    size: Size
    p: float = 1.0
    mixup: float = 1.0
    degrees: float = 10.0
    translate: float = 0.1
    scale: tuple[float, float] = (0.1, 2.0)
    shear: float = 2.0
    mixup_scale: tuple[float, float] = (0.5, 1.5)
    color: Transform | None = field(default_factory=HSVShift)
    flip: float = 0.5
    turn: RandomTurn = field(default_factory=RandomTurn)
    copy_paste: float = 0.0
    paste: CopyPaste = field(default_factory=CopyPaste)
    keep: BoxFilter = field(default_factory=BoxFilter)
    fill: int = PAD

    def __post_init__(self) -> None:
        for name in ("p", "mixup", "flip", "copy_paste"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        for name in ("scale", "mixup_scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InputError(f"{name}: expected 0 < low <= high, got {(low, high)}")
        if min(self.size) < 1:
            raise InputError(f"size: expected at least 1 x 1, got {self.size}")
        if not 0 <= self.degrees <= 180 or not 0 <= self.shear < 45 or self.translate < 0:
            raise InputError(
                "degrees, shear, translate: expected 0 to 180, 0 to 45 (excluded) and at least 0, "
                f"got {self.degrees}, {self.shear} and {self.translate}"
            )

    def __call__(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        """Build the sample of image ``index``."""
        if rng.random() >= self.p:
            return self._single(dataset, index, rng)
        canvas = blank_canvas(self.size, self.fill)
        turned = mirror(self.size[1]) if rng.random() < self.flip else scaling(1, 1)
        objects = self._tiles(canvas, dataset, index, rng, turned)
        if rng.random() < self.copy_paste:
            turn = self.turn.draw(rng)
            objects = copy_paste(canvas, objects, dataset, rng, self.paste, self.keep, turn)
        if rng.random() < self.mixup and len(objects):
            other = mixup(
                canvas, dataset, rng, self.mixup_scale, turned, self.fill, self.keep,
                self.turn.draw(rng),
            )  # fmt: skip
            objects = join([objects, other])
        sample = Sample(
            image=np.asarray(cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB), np.uint8),
            boxes=objects.boxes,
            labels=objects.labels,
            ignore_boxes=objects.ignore_boxes,
            image_id=dataset.ground_truth(index).image_id,
            geometry=Geometry.identity(self.size),
            dropped=objects.dropped,
        )
        return sample if self.color is None else self.color(sample, rng)

    def _tiles(
        self,
        canvas: Image,
        dataset: Dataset,
        index: int,
        rng: np.random.Generator,
        turned: Affine,
    ) -> Objects:
        """Paint the four images and return their objects."""
        height, width = self.size
        centre = (
            int(rng.uniform(0.5 * width, 1.5 * width)),
            int(rng.uniform(0.5 * height, 1.5 * height)),
        )
        indices = [index, *rng.integers(len(dataset), size=3).tolist()]
        matrix = random_affine(rng, self.size, self.degrees, self.translate, self.scale, self.shear)
        matrix = turned.after(matrix)
        places = [
            self.turn.draw(rng).placed(_Tile(self.size, corner, centre, matrix))
            for corner in range(len(indices))
        ]
        return join([
            paint_image(canvas, dataset, each, place, self.keep)
            for place, each in zip(places, indices)
        ])  # fmt: skip

    def _single(self, dataset: Dataset, index: int, rng: np.random.Generator) -> Sample:
        """Build a sample of one image: colours and mirror before the padding, which stays grey."""
        turn = self.turn.draw(rng)
        height, width = turn.size(tuple(dataset.sizes[index].tolist()))
        fit = geometry.letterbox((height, width), self.size)
        sample = turn(load_reduced(dataset, index, halvings(fit[0] / height)))
        sample = resize(sample, geometry.letterbox(sample.geometry.image_size, self.size))
        if self.color is not None:
            sample = self.color(sample, rng)
        sample = flip(sample, rng, self.flip)
        image = np.full((*self.size, 3), self.fill, np.uint8)
        image[: sample.image.shape[0], : sample.image.shape[1]] = sample.image
        return replace(sample, image=image)


@dataclass(frozen=True, eq=False)
class _Tile:
    """Placement of one of the four images.

    Attributes:
        size: of the output; the page has twice its sides.
        corner: 0 to 3: top left, top right, bottom left, bottom right of the centre.
        centre: x and y on the page.
        matrix: from the page to the output.
    """

    size: Size
    corner: int
    centre: tuple[int, int]
    matrix: Affine

    def __call__(self, image: Size) -> tuple[Affine, Rect]:
        fit, (tall, wide) = fitted(image, self.size)
        left = self.centre[0] - wide * (self.corner in (0, 2))
        top = self.centre[1] - tall * (self.corner in (0, 1))
        fx, fy = wide / image[1], tall / image[0]
        # What sticks out of the page is not used.
        rect = (
            max(0, -left) / fx,
            max(0, -top) / fy,
            min(wide, 2 * self.size[1] - left) / fx,
            min(tall, 2 * self.size[0] - top) / fy,
        )
        return self.matrix.after(scaling(1, 1, left, top)).after(fit), rect
