"""Test-time augmentation: merging of views and memory-bounded forward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from otadet.exp import BaseExp
from otadet.geometry import padded
from otadet.postprocess import Postprocess
from otadet.tta import Augmentation
from otadet.types import Batch, Detections


def view_postprocess(exp: BaseExp, augmentation: Augmentation) -> Postprocess:
    """Build the postprocess of one view, which keeps as many detections as the merged result."""
    plain = exp.build_postprocess()
    return replace(plain, max_detections=max(plain.max_detections, augmentation.limit))


def detect_in_chunks(
    detect: Callable[[Batch], list[Detections]], batch: Batch, exp: BaseExp, count: int
) -> list[Detections]:
    """Run ``detect`` on a batch in chunks, to bound the memory of large views.

    A chunk has no more pixels than ``count`` images of a plain pass, but at least one image.
    """
    height, width = padded(exp.test_size, 32)
    mine = batch.images.shape[-2] * batch.images.shape[-1]
    whole = max(1, count * height * width // mine)
    return [d for piece in batch.split(-(-len(batch) // whole)) for d in detect(piece)]


class ViewMerger:
    """Collector of the views of a batch, merged after the last one.

    Args:
        augmentation: the views; ``None`` for the plain pass, which goes through unchanged.
    """

    def __init__(self, augmentation: Augmentation | None) -> None:
        self._augmentation = augmentation
        self._held: list[Sequence[Detections]] = []

    def add(self, found: Sequence[Detections]) -> Sequence[Detections] | None:
        """Add the next view's detections of every image of the batch.

        Returns:
            The merged detections of every image after the last view, ``None`` before.
        """
        if self._augmentation is None:
            return found
        self._held.append(found)
        if len(self._held) < len(self._augmentation.views):
            return None
        merged = [self._augmentation.merge(views) for views in zip(*self._held)]
        self._held = []
        return merged
