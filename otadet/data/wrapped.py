"""A data set made from another one, of which it keeps the classes."""

from __future__ import annotations

from collections.abc import Mapping

from otadet.data.base import Dataset
from otadet.data.classes import category_ids


class WrappedDataset:
    """Base of data sets that change another's images and keep its classes.

    Attributes:
        dataset: the other one.
    """

    dataset: Dataset

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the contiguous class indices."""
        return self.dataset.class_names

    @property
    def category_ids(self) -> tuple[int, ...] | None:
        """The annotation file's own id of each class, where it has ids."""
        return category_ids(self.dataset)

    @property
    def skipped(self) -> Mapping[str, int]:
        """Number of things left out, by reason."""
        return self.dataset.skipped


def innermost(dataset: Dataset) -> Dataset:
    """Return the data set that others are made from."""
    while isinstance(dataset, WrappedDataset):
        dataset = dataset.dataset
    return dataset
