"""A tiny run whose classes and files have hostile names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otadet.cli.train import main as train
from tests.doctor.broken import coco, make_coco
from tests.engine.processes import quick
from tests.helpers import HOSTILE


def rename(names: tuple[str, ...]) -> Callable[[dict[str, Any]], None]:
    """Give the classes of a COCO file these names."""

    def change(file: dict[str, Any]) -> None:
        for category, name in zip(file["categories"], names):
            category["name"] = name

    return change


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the run and, beside it, its data."""
    folder = tmp_path_factory.mktemp("report")
    make_coco(folder / "data")
    for split in ("train", "val"):
        coco(rename((HOSTILE[0], HOSTILE[4])), split)(folder / "data")

    def odd_name(file: dict[str, Any]) -> None:
        image = file["images"][0]
        odd = '<i onload=alert(1)> "it\'s" \u05e9.jpg'
        (folder / "data/images" / image["file_name"]).rename(folder / "data/images" / odd)
        image["file_name"] = odd

    coco(odd_name, "val")(folder / "data")
    words = [f"data_dir={folder / 'data'}", "max_iters=6", "eval_interval=1"]
    assert train(quick(folder / "run", *words)) == 0
    return folder
