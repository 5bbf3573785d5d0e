"""Wrong input met in the course of a run, in any process: the one line is the last thing said."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.conftest import WHITE, spoiled
from tests.engine.processes import pair, started

WORKERS = ["workers=2", "check_data=false"]


def truncated(data: Path, image: Path) -> str:
    os.truncate(image, 60)
    return image.name


def text(data: Path, image: Path) -> str:
    image = image.rename(image.with_suffix(".jpg"))
    image.write_text("a text file", encoding="utf-8")
    edit(data, file_name=image.name)
    return image.name


def another_size(data: Path, image: Path) -> str:
    edit(data, width=32)
    return "32"


def edit(data: Path, **changes: object) -> None:
    """Change what the annotations say of the image."""
    path = data / "annotations/train.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["images"][WHITE - 1] |= changes
    path.write_text(json.dumps(document), encoding="utf-8")


def broken(source: Path, target: Path, how: Callable[[Path, Path], str]) -> str:
    """Copy the data with one broken image; returns what the line names."""
    shutil.copytree(source, target)
    return how(target, sorted((target / "images").iterdir())[WHITE - 1])


@pytest.mark.parametrize("how", [truncated, text, another_size])
def test_in_training(tmp_path: Path, spoiled_data: Path, how: Callable[[Path, Path], str]) -> None:
    word = broken(spoiled_data, tmp_path / "data", how)
    words = spoiled(tmp_path / "run", tmp_path / "data", "nothing", *WORKERS, "max_iters=9")
    with started(words, tmp_path / "log") as run:
        assert run.end() == 2, run.said
    line = run.last_line()
    assert "ERROR" in line and word in line and f"image id {WHITE}" in line


@pytest.mark.parametrize("workers", [0, 2])
def test_in_validation(tmp_path: Path, spoiled_data: Path, workers: int) -> None:
    broken(spoiled_data, tmp_path / "data", truncated)
    words = spoiled(tmp_path / "run", spoiled_data, "nothing", *WORKERS, "max_iters=1",
                    f"workers={workers}", f"val_images={tmp_path / 'data/images'}")  # fmt: skip
    with started(words, tmp_path / "log") as run:
        assert run.end() == 2, run.said
    assert "ERROR" in run.last_line() and str(tmp_path / "data/images") in run.last_line()


def test_in_the_report(tmp_path: Path, spoiled_data: Path) -> None:
    shutil.copytree(spoiled_data, tmp_path / "data")
    words = spoiled(tmp_path / "run", tmp_path / "data", "report", *WORKERS, "max_iters=1")
    with started(words, tmp_path / "log") as run:
        assert run.end() == 2, run.said
    assert "ERROR" in run.last_line() and "is truncated" in run.last_line()
    assert (tmp_path / "run/best.pth").exists()


def test_in_one_of_two_processes(tmp_path: Path, spoiled_data: Path) -> None:
    """As torchrun starts them: each says its own end."""
    word = broken(spoiled_data, tmp_path / "data", truncated)
    words = spoiled(tmp_path / "run", tmp_path / "data", "nothing", *WORKERS, "max_iters=9")
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path / "said") as both:
        codes = [run.end() for run in both]
    first = codes.index(2)
    assert word in both[first].last_line()
    other = both[1 - first]
    assert codes[1 - first] in (1, 2) and "ERROR" in other.last_line()
