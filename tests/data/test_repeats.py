"""Images of rare classes are repeated."""

from typing import ClassVar

import numpy as np
import pytest

from otadet.data import RepeatedDataset, ShapesDataset
from otadet.data.base import Dataset
from otadet.data.repeats import repeat_factors
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.types import GroundTruth


class Labels:
    """Data set of labels alone: class 0 everywhere, 1 in a quarter, 2 in one of 100 images."""

    class_names = ("common", "seldom", "rare", "absent")
    sizes = np.full((100, 2), 32, np.int64)
    skipped: ClassVar[dict[str, int]] = {}

    def __len__(self) -> int:
        return 100

    def load(self, index: int) -> int:
        return index

    def ground_truth(self, index: int) -> GroundTruth:
        labels = [0, *([1] if index % 4 == 0 else []), *([2] if index == 7 else [])]
        boxes = np.tile(np.array([1, 1, 9, 9], np.float32), (len(labels), 1))
        none = np.zeros((0, 4), np.float32)
        return GroundTruth(
            index,
            f"{index}.png",
            (32, 32),
            boxes,
            np.array(labels),
            none,
            np.full(len(labels), 64.0),
        )


def test_factors_are_those_of_the_paper() -> None:
    factors = repeat_factors(Labels(), 0.36)
    assert factors[7] == pytest.approx(6.0)  # sqrt(0.36 / 0.01)
    assert factors[8] == pytest.approx(1.2)  # sqrt(0.36 / 0.25)
    assert factors[9] == 1.0
    assert (repeat_factors(Labels(), 0.01) == 1.0).all()


def test_images_come_as_often_as_their_factor_and_every_time_the_same() -> None:
    data: Dataset = RepeatedDataset(Labels(), 0.36, 5)
    seen = np.bincount([data.load(i) for i in range(len(data))], minlength=100)
    assert seen[7] == 6 and (seen[np.arange(100) % 4 != 0] >= 1).all()
    quarter = seen[np.arange(0, 100, 4)]
    assert set(quarter) == {1, 2} and 1.0 < quarter.mean() < 1.5
    assert len(data.sizes) == len(data) == seen.sum()
    again = RepeatedDataset(Labels(), 0.36, 5)
    assert [again.load(i) for i in range(len(again))] == [data.load(i) for i in range(len(data))]
    assert data.ground_truth(len(data) - 1).image_id == 99


def test_the_setting() -> None:
    plain = load_exp(name="quickstart").build_train_data()
    exp = load_exp(name="quickstart", overrides={"repeat_rare": 0.999, "shapes_train": 40})
    data = exp.build_train_data()
    assert isinstance(plain, ShapesDataset) and isinstance(data, RepeatedDataset)
    assert len(data) > 40 and np.array_equal(data.load(0).image, data.dataset.load(0).image)
    with pytest.raises(InputError, match="setting repeat_rare: expected 0 to 1, got 2"):
        load_exp(name="quickstart", overrides={"repeat_rare": 2.0})
