"""Images of different sizes in one batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otadet.data import ShapesDataset, collate, resize
from otadet.types import Sample


@pytest.fixture
def samples() -> list[Sample]:
    dataset = ShapesDataset(2, 0, size=(64, 100), object_size=(16, 40))
    return [dataset.load(0), resize(dataset.load(1), (90, 33))]


def test_padding_right_and_bottom(samples: list[Sample]) -> None:
    batch = collate(samples)
    assert batch.images.shape == (2, 3, 96, 128)
    assert batch.images.dtype == torch.uint8
    for image, sample in zip(batch.images, samples):
        height, width = sample.image.shape[:2]
        assert np.array_equal(image[:, :height, :width].permute(1, 2, 0), sample.image)
        assert (image[:, height:] == 114).all()
        assert (image[:, :, width:] == 114).all()
    assert batch.image_ids == (1, 2)
    assert [g.input_size for g in batch.geometries] == [(64, 100), (90, 33)]
    for target, sample in zip(batch.targets, samples):
        assert np.array_equal(target.boxes, sample.boxes)
        assert np.array_equal(target.labels, sample.labels)


def test_multiple_fill_and_fixed_size(samples: list[Sample]) -> None:
    assert collate(samples, multiple=1).images.shape == (2, 3, 90, 100)
    assert collate(samples, multiple=8, fill=0).images[1, :, -1].sum() == 0
    assert collate(samples, size=(128, 256)).images.shape == (2, 3, 128, 256)
    with pytest.raises(ValueError, match=r"image id 1 is 100 x 64 .*larger than.* 64 x 96"):
        collate(samples, size=(90, 64))
    with pytest.raises(ValueError, match="at least one"):
        collate([])


def test_bytes_stay_as_they_are_decoded(samples: list[Sample]) -> None:
    images = collate(samples).images
    assert images.is_contiguous(memory_format=torch.channels_last)
