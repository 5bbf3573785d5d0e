"""Collate samples into a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from otadet.data.transforms import PAD
from otadet.geometry import Size, padded
from otadet.types import Batch, Sample


def collate(
    samples: Sequence[Sample], multiple: int = 32, fill: int = PAD, size: Size | None = None
) -> Batch:
    """Collate images of different sizes into one batch, padded at the right and the bottom.

    Args:
        samples: at least one.
        multiple: height and width of the batch are multiples of this.
        fill: grey value of the padding.
        size: a fixed height and width instead of the largest image's.

    Returns:
        A batch whose images are ``[B, 3, H, W]`` uint8 with the strides of ``channels_last``:
        the decoder's order of bytes, so that nothing is copied twice.

    Raises:
        ValueError: no samples, or an image is larger than ``size``.
    """
    if not samples:
        raise ValueError("collate: expected at least one sample, got none")
    shapes = np.array([sample.image.shape[:2] for sample in samples])
    height, width = padded(size or (int(shapes[:, 0].max()), int(shapes[:, 1].max())), multiple)
    images = np.empty((len(samples), height, width, 3), np.uint8)
    for into, sample in zip(images, samples):
        h, w = sample.image.shape[:2]
        if h > height or w > width:
            raise ValueError(
                f"collate: image id {sample.image_id} is {w} x {h} (width x height), larger than "
                f"the batch's {width} x {height}"
            )
        into[:h, :w] = sample.image
        into[h:] = fill
        into[:h, w:] = fill
    return Batch(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        targets=tuple(sample.target() for sample in samples),
        geometries=tuple(sample.geometry for sample in samples),
        image_ids=tuple(sample.image_id for sample in samples),
        dropped=sum(sample.dropped for sample in samples),
    )
