"""An experiment that goes wrong in a known place for a known image, and its data.

python tools/train.py -f tests/engine/spoiled.py spoil=nan ...
"""

import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from otadet.data import Dataset
from otadet.exp import load_class
from otadet.models import Detector

_Quickstart = load_class(name="quickstart")


class _Spoiler(nn.Module):
    """A backbone whose last feature is spoiled for images that are white all over."""

    def __init__(self, inner: nn.Module, how: str) -> None:
        super().__init__()
        self.inner = inner
        self.how = how

    def forward(self, images: Tensor) -> list[Tensor]:
        *others, last = self.inner(images)
        white = torch.where(images.flatten(1).mean(dim=1) > 2.0)[0]  # after normalisation
        if self.training and len(white):
            if self.how == "memory":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
            if self.how == "bug":
                raise KeyError("a mistake in the network")
            last = last.index_put((white,), self._spoil(last[white]))
        return [*others, last]

    def _spoil(self, rows: Tensor) -> Tensor:
        if self.how == "nan":
            return rows / 0 * 0
        if self.how == "overflow":
            return rows * 1e25 * 1e25
        if self.how == "gradient":
            return rows + (rows * 0).sqrt()
        return rows


class _Sleepy:
    """A data set that some day does not answer any more."""

    def __init__(self, inner: Dataset) -> None:
        self.inner = inner
        self.loaded = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)

    def load(self, index: int) -> object:
        self.loaded += 1
        if self.loaded > 16:
            time.sleep(10_000)
        return self.inner.load(index)


class _Torn:
    """A data set whose images are torn once the main process reads them: with workers, for the
    report at a run's end."""

    def __init__(self, inner: Dataset, images: Path) -> None:
        self.inner = inner
        self.images = images
        self.main = os.getpid()

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)

    def load(self, index: int) -> object:
        if os.getpid() == self.main:
            for path in self.images.iterdir():
                os.truncate(path, 60)
        return self.inner.load(index)


class Spoiled(_Quickstart):  # type: ignore[misc, valid-type]
    spoil: str = "nothing"

    def build_model(self, num_classes: int) -> Detector:
        model: Detector = super().build_model(num_classes)
        model.backbone = _Spoiler(model.backbone, self.spoil)
        return model

    def build_train_data(self) -> Dataset:
        data: Dataset = super().build_train_data()
        return _Sleepy(data) if self.spoil == "sleep" else data  # type: ignore[return-value]

    def build_val_data(self, class_names: tuple[str, ...]) -> Dataset:
        data: Dataset = super().build_val_data(class_names)
        if self.spoil != "report":
            return data
        return _Torn(data, Path(self.data_dir) / "images")  # type: ignore[return-value]
