"""Predictor: a trained network with its preprocessing and postprocess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from otadet.data import Transform, WindowedImage, as_array, as_windowed, collate
from otadet.engine.checkpoint import Checkpoint, log_provenance
from otadet.engine.devices import memory_layout
from otadet.engine.evaluate import predict
from otadet.engine.fitted import fitted_model
from otadet.engine.precision import Precision
from otadet.engine.tiled import TILES, detect_tiled
from otadet.engine.tta import ViewMerger, detect_in_chunks, view_postprocess
from otadet.exp import BaseExp
from otadet.models import Detector, fuse
from otadet.postprocess import Postprocess
from otadet.rng import generator
from otadet.tiling import Tiling
from otadet.tta import Augmentation
from otadet.types import Batch, Detections, Predictions, Sample

T = TypeVar("T")
Image = npt.NDArray[np.uint8]
AnyImage = TypeVar("AnyImage", bound="Image | WindowedImage")

GROUP_PIXELS = 48_000_000
"""Largest number of pixels held for one forward pass; 144 MB."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """Network, settings and class names of a checkpoint, on a device.

    Attributes:
        model: in evaluation mode.
        exp: resize and postprocess are its.
        class_names: in the order of the network's outputs.
        device: where the network is.
        precision: of the forward pass.
    """

    model: Detector
    exp: BaseExp
    class_names: tuple[str, ...]
    device: torch.device
    precision: Precision

    @staticmethod
    def from_checkpoint(
        checkpoint: Checkpoint,
        exp: BaseExp,
        device: torch.device,
        precision: Precision,
        fused: bool = False,
    ) -> Predictor:
        """Build the network of ``exp`` and load the checkpoint's weights into it.

        Args:
            checkpoint: weights and class names.
            exp: settings.
            device: where the network goes.
            precision: of the forward pass.
            fused: with BatchNorm folded into the convolutions, see :func:`~otadet.models.fuse`.
        """
        log_provenance(checkpoint)
        where = f"checkpoint {checkpoint.path}"
        model = fitted_model(exp, len(checkpoint.class_names), checkpoint.weights, where)
        return Predictor.from_model(model, exp, checkpoint.class_names, device, precision, fused)

    @staticmethod
    def from_model(
        model: Detector,
        exp: BaseExp,
        class_names: tuple[str, ...],
        device: torch.device,
        precision: Precision,
        fused: bool = False,
    ) -> Predictor:
        """Wrap an existing network; it is moved to ``device``."""
        model = model.eval()
        model = fuse(model) if fused else model
        model = model.to(device=device, memory_format=memory_layout(device))  # type: ignore[call-overload]
        return Predictor(model, exp, class_names, device, precision)

    @property
    def postprocess(self) -> Postprocess:
        """Score rule, thresholds and NMS of the settings."""
        return self.exp.build_postprocess()

    def __call__(self, image: Image | WindowedImage) -> Detections:
        """Detect in one image ``[H, W, 3]`` uint8 RGB, in its own pixels, on the CPU."""
        return self.batch([image])[0]

    def batch(self, images: Sequence[Image | WindowedImage]) -> list[Detections]:
        """Detect in images of any sizes; boxes are in the pixels of each image.

        One forward pass takes them all; one after the other where the settings ask for tiles or for
        test-time augmentation.

        Args:
            images: ``[H, W, 3]`` uint8 RGB each; none at all gives an empty list. Of windowed ones
                tiles read one after the other.
        """
        if not images:
            return []
        tiling = self.exp.build_tiling()
        if tiling is not None:
            return [self._tiled(image, tiling, max(len(images), TILES)) for image in images]
        augmentation = self.exp.build_augmentation()
        if augmentation is not None:
            return self._augmented([as_array(image) for image in images], augmentation)
        batch = self.prepare([as_array(image) for image in images])
        return self.finish(self.forward(batch), batch)

    def _tiled(self, image: Image | WindowedImage, tiling: Tiling, count: int) -> Detections:
        def detect(batch: Batch) -> list[Detections]:
            return self.finish(self.forward(batch), batch)

        return detect_tiled(
            as_windowed(image), self.exp, tiling, detect, count, self.exp.whole_boxes
        )

    def _augmented(self, images: Sequence[Image], augmentation: Augmentation) -> list[Detections]:
        postprocess, merging = view_postprocess(self.exp, augmentation), ViewMerger(augmentation)

        def detect(piece: Batch) -> list[Detections]:
            found = postprocess(self.forward(piece), piece.geometries)
            return [d.to("cpu") for d in found]

        merged: Sequence[Detections] | None = None
        for view in augmentation.views:
            batch = self.prepare(images, view.transform)
            merged = merging.add(detect_in_chunks(detect, batch, self.exp, len(images)))
        return list(merged or ())

    def prepare(self, images: Sequence[Image], transform: Transform | None = None) -> Batch:
        """Preprocess images to the network's input by the resize of evaluation, on the CPU.

        Args:
            images: ``[H, W, 3]`` uint8 RGB each.
            transform: in place of that resize.
        """
        transform = transform or self.exp.build_val_transform()
        samples = [Sample.unlabelled(image, self.exp.whole_boxes) for image in images]
        return collate([transform(sample, generator(0)) for sample in samples])

    def forward(self, batch: Batch) -> Predictions:
        """Run the network on :attr:`device` without synchronising; input frame."""
        return predict(self.model, batch, self.device, self.precision)

    @torch.no_grad()
    def finish(self, predictions: Predictions, batch: Batch) -> list[Detections]:
        """Postprocess to the detections of each image, image frame, on the CPU."""
        return [d.to("cpu") for d in self.postprocess(predictions, batch.geometries)]


def group_images(
    items: Iterable[tuple[T, AnyImage]], count: int, pixels: int = GROUP_PIXELS
) -> Iterator[list[tuple[T, AnyImage]]]:
    """Group images, each with its item, for :meth:`Predictor.batch`.

    Args:
        items: anything beside an image ``[H, W, 3]``, or a windowed one.
        count: largest group.
        pixels: a group is full, whatever its number, when its images have so many pixels:
            a folder of very large images does not fill the memory.
    """
    group: list[tuple[T, AnyImage]] = []
    held = 0
    for item in items:
        group.append(item)
        height, width = as_windowed(item[1]).size
        held += height * width
        if len(group) >= count or held >= pixels:
            yield group
            group, held = [], 0
    if group:
        yield group
