"""Data of the tests that let runs go wrong."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from loguru import logger

from otadet.data import ShapesDataset, write_coco, write_image
from tests.engine.processes import SMALL

WHITE = 8
"""Id of the image that is white all over."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many threads as :func:`tests.engine.processes.started` gives a process.

    Sums over several threads have other bits, so that runs of both kinds could not be compared.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def spoiled_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images, one of them white, as a COCO data set."""
    folder = tmp_path_factory.mktemp("spoiled")
    shapes = ShapesDataset(12, size=(64, 64), object_size=(16, 48), classes=("circle", "square"))
    write_coco(shapes, folder)
    image = sorted((folder / "images").iterdir())[WHITE - 1]
    write_image(image, np.full((64, 64, 3), 255, np.uint8))
    return folder


def spoiled(output: Path, data: Path, how: str, *words: str) -> list[str]:
    """Words of the command for a run on :func:`spoiled_data`: three steps an epoch."""
    return [
        "-f", str(Path(__file__).parent / "spoiled.py"), "-d", "cpu", "--fp32", "-b", "4",
        "-o", str(output), *SMALL, f"data_dir={data}", "train_images=images", "val_images=images",
        "train_ann=annotations/train.json",
        "val_ann=annotations/train.json", "num_classes=2", "eval_interval=1000",
        f"spoil={how}", *words,
    ]  # fmt: skip


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """The lines that are logged in the block, unless something in it sets logging up anew."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message}")
    try:
        yield lines
    finally:
        logger.remove(sink)
