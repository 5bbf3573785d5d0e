"""Hits, false alarms and misses of every image at a score threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otadet.evaluation.flat import Bools, Flat, Floats, Ints
from otadet.evaluation.matching import FREE, coco_pairs, match_coco
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

_IOU = 0.5


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """Which detection found which object, as AP50 matches them.

    By falling score, so that a higher threshold leaves the same matches.

    Attributes:
        flat: ground truth and detections.
        partner: ``[K]`` object of each detection, -1 for none.
        counts: ``[K]`` false for unmatched detections in ignore regions.
        score: threshold of the numbers below.
    """

    flat: Flat
    partner: Ints
    counts: Bools
    score: float

    @staticmethod
    def of(
        gts: Sequence[GroundTruth], num_classes: int, detections: DetectionColumns, score: float
    ) -> ImageMatches:
        """Match at an IoU of 0.5."""
        flat = Flat.of(gts, num_classes, detections)
        return ImageMatches(flat, *match_coco(flat, _IOU, coco_pairs(flat, _IOU)), score)

    @property
    def shown(self) -> Bools:
        """``[K]`` detections that count, from the threshold on."""
        return self.counts & (self.flat.scores >= np.float32(self.score))

    @property
    def hits(self) -> Ints:
        """``[N]`` objects found in each image."""
        return self._by_image(self.shown & (self.partner != FREE))

    @property
    def false_alarms(self) -> Ints:
        """``[N]`` detections without an object in each image."""
        return self._by_image(self.shown & (self.partner == FREE))

    @property
    def missed(self) -> Ints:
        """``[N]`` objects without a detection in each image."""
        objects = np.bincount(self.flat.objects.image, minlength=self.flat.num_images)
        return objects - self.hits

    @property
    def f1(self) -> Floats:
        """``[N]`` F1 of each image; 1 where there is nothing and nothing was found."""
        wrong = self.false_alarms + self.missed
        return np.where(wrong, 2 * self.hits / np.maximum(2 * self.hits + wrong, 1), 1.0)

    def found_by(self) -> Ints:
        """``[G]`` detection of each object, whatever its score; -1 for none."""
        detection = np.full(self.flat.objects.size, FREE)
        matched = np.flatnonzero(self.partner != FREE)
        detection[self.partner[matched]] = matched
        return detection

    def _by_image(self, which: Bools) -> Ints:
        return np.bincount(self.flat.detections.image[which], minlength=self.flat.num_images)
