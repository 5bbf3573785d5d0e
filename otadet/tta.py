"""Test-time augmentation: views of an image, and merging of their detections."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from otadet.box_voting import soft_vote
from otadet.boxes import area
from otadet.data.transforms import Compose, Flip, Letterbox, ResizeShortest, Transform
from otadet.errors import InputError
from otadet.geometry import Size, padded
from otadet.types import Detections

TtaKind = Literal["none", "flip", "atss"]
"""One pass; the image and its mirror image; or ATSS's multi-scale test."""

BASE = 800
"""Shorter side of the plain pass for which the scales are given."""


@dataclass(frozen=True)
class TtaScale:
    """A test scale and the range of box sizes kept from it.

    Attributes:
        short: shorter side, pixels, for a network whose plain pass has :data:`BASE`.
        longest: limit of the longer side, likewise.
        low: smallest square root of a box's area, pixels of the original image.
        high: exclusive upper limit of it.
    """

    short: int
    longest: int = 3000
    low: float = 0.0
    high: float = math.inf


ATSS_SCALES = (
    TtaScale(400, low=96), TtaScale(500, low=96), TtaScale(600, low=64), TtaScale(640, low=64),
    TtaScale(700, low=64), TtaScale(900), TtaScale(1000), TtaScale(1100, high=256),
    TtaScale(1200, high=256), TtaScale(1300, high=192), TtaScale(1400, high=192),
    TtaScale(1800, high=96), TtaScale(800, longest=1333),
)  # fmt: skip
"""ATSS's multi-scale test with the ranges of its and the official OTA code's settings: the last
row of the OTA paper's Table 5. Each scale is also flipped."""

_LONGEST = 16_384
_WORD = re.compile(r"(\d{1,5})(?:/(\d{1,5}))?(?::(\d*\.?\d*)-(\d*\.?\d*))?")


def parse_scale(word: str) -> TtaScale:
    """Parse ``SHORT`` or ``SHORT/LONGEST``, optionally with ``:LOW-HIGH``, each end optional.

    A plain ``SHORT`` of :data:`ATSS_SCALES` gets its range.

    Raises:
        InputError: the text has another form.
    """
    match = _WORD.fullmatch(word.strip())
    wrong = InputError(
        "setting tta_scales: expected SHORT, SHORT/LONGEST or SHORT:LOW-HIGH, such as 400, "
        f"800/1333 or 400:96-, got {word!r}"
    )
    if match is None or "." in (match[3], match[4]):
        raise wrong
    short = int(match[1])
    known = {scale.short: scale for scale in ATSS_SCALES}
    if match[2] is None and match[3] is None and short in known:
        return known[short]
    scale = TtaScale(
        short,
        int(match[2] or TtaScale.longest),
        float(match[3] or 0),
        float(match[4] or math.inf),
    )
    if not 1 <= scale.short <= scale.longest <= _LONGEST or scale.low >= scale.high:
        raise wrong
    return scale


def parse_scales(words: Sequence[str]) -> tuple[TtaScale, ...]:
    """Parse scales; :data:`ATSS_SCALES` without any."""
    return tuple(parse_scale(word) for word in words) or ATSS_SCALES


@dataclass(frozen=True)
class View:
    """One pass over an image.

    Attributes:
        transform: from the image as read to the network's input.
        low: smallest square root of a box's area, pixels of the original image.
        high: exclusive upper limit of it.
    """

    transform: Transform
    low: float = 0.0
    high: float = math.inf

    def select(self, found: Detections) -> Detections:
        """Keep the detections, image frame, within this view's range of sizes."""
        side = area(found.boxes).sqrt()
        keep = (side >= self.low) & (side < self.high)
        return Detections(found.boxes[keep], found.scores[keep], found.labels[keep])


@dataclass(frozen=True)
class Augmentation:
    """Views of an image and the parameters that merge their detections.

    Attributes:
        views: the passes, in their order.
        iou_threshold: of box voting, see :func:`~otadet.box_voting.soft_vote`.
        score_threshold: detections with lower scores are dropped.
        limit: largest number of merged detections.
    """

    views: tuple[View, ...]
    iou_threshold: float = 0.65
    score_threshold: float = 0.05
    limit: int = 300

    def merge(self, found: Sequence[Detections]) -> Detections:
        """Merge the detections of an image's views, image frame.

        Args:
            found: one for each of :attr:`views`, in their order, after NMS.
        """
        chosen = [view.select(each) for view, each in zip(self.views, found, strict=True)]
        return Detections(*soft_vote(
            torch.cat([d.boxes for d in chosen]),
            torch.cat([d.scores for d in chosen]),
            torch.cat([d.labels for d in chosen]),
            iou_threshold=self.iou_threshold,
            score_threshold=self.score_threshold,
            limit=self.limit,
        ))  # fmt: skip


def scaled_views(
    words: Sequence[str], resize: Literal["shortest", "letterbox"], test_size: Size
) -> tuple[View, ...]:
    """Make a view for each scale, in proportion to the size of the plain pass.

    With ``shortest``, sides are multiplied by the plain pass's shorter side over :data:`BASE`, so
    that an 800 px network gets the scales unchanged. With ``letterbox`` the input is scaled so, to
    multiples of 32. Ranges do not change: they are pixels of the original image.

    Args:
        words: scales for a network of 800 px, see :func:`parse_scale`.
        resize: setting of the plain pass.
        test_size: setting of the plain pass.
    """

    def fit(scale: TtaScale) -> Transform:
        if resize == "shortest":
            factor = test_size[0] / BASE
            return ResizeShortest(round(scale.short * factor), round(scale.longest * factor))
        height, width = (round(side * scale.short / BASE) for side in test_size)
        return Letterbox(padded((height, width), 32))

    return tuple(View(fit(scale), scale.low, scale.high) for scale in parse_scales(words))


def with_mirrors(views: Sequence[View]) -> tuple[View, ...]:
    """Follow each view by its horizontally flipped one."""
    pairs = ((v, View(Compose((Flip(1.0), v.transform)), v.low, v.high)) for v in views)
    return tuple(view for pair in pairs for view in pair)
