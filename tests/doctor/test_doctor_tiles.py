"""The doctor knows tiles: it names them where they would help, and measures objects in them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger

from otadet.cli.doctor import main as doctor
from otadet.data import write_image
from otadet.engine.init_weights import infer_settings
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.tiling import Tiling


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 1,600 x 1,200 px with objects of 20 px."""
    folder = tmp_path_factory.mktemp("large")
    images, annotations = [], []
    for i in range(2):
        write_image(folder / f"{i}.jpg", np.full((1200, 1600, 3), 90 + i, np.uint8))
        images.append({"id": i + 1, "file_name": f"{i}.jpg", "height": 1200, "width": 1600})
        annotations += [
            {"id": 10 * i + k + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "area": 400,
             "bbox": [100 * k + 3, 80 * k + 5, 20, 20]} for k in range(8)
        ]  # fmt: skip
    content = {"images": images, "annotations": annotations,
               "categories": [{"id": 1, "name": "car"}]}  # fmt: skip
    for split in ("train", "val"):
        (folder / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def checked(folder: Path, out: Path, *words: str) -> dict[str, Any]:
    doctor(["-n", "finetune_nano", *place(folder), "--json", str(out), *words])
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def place(folder: Path) -> list[str]:
    return [f"data_dir={folder}", "train_ann=train.json", "val_ann=val.json", "train_images=.",
            "val_images=."]  # fmt: skip


def texts(report: dict[str, Any]) -> list[str]:
    return [str(each) for each in report["findings"] if each["code"] == "input-too-small"]


def test_tiles_are_named_where_images_are_shrunk_and_objects_vanish(
    large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = texts(checked(large, tmp_path / "whole.json"))
    assert found and all("shrunk 5.0 times, tile=auto cuts them into tiles" in t for t in found)
    assert "tile=auto would take tiles of 192 px, overlap 24 px" in capsys.readouterr().out
    assert texts(checked(large, tmp_path / "tiles.json", "tile=320")) == []
    assert "tile_overlap=auto would take tiles of 320 px, overlap 24" in capsys.readouterr().out
    assert texts(checked(large, tmp_path / "auto.json", "tile=auto")) == []
    assert "tile=auto tile_overlap=none: tiles of 192 px" in capsys.readouterr().out


def test_training_takes_the_tiles_that_the_doctor_explains(large: Path, tmp_path: Path) -> None:
    tiles = checked(large, tmp_path / "auto.json", "tile=auto")["tiles"]
    exp = load_exp(name="finetune_nano", overrides={"tile": "auto"})
    words = exp.parse(place(large))
    exp = exp.changed(**words)
    data = exp.build_train_data()
    lines: list[str] = []
    sink = logger.add(lines.append, level="INFO", format="{message}")
    try:
        chosen = infer_settings(exp, data)
    finally:
        logger.remove(sink)
    assert lines == [f"tile=auto tile_overlap=none: {tiles['reason']}\n"]
    assert {"size": chosen.tile, "overlap": chosen.tile_overlap} == tiles["tiling"]
    assert data.sizes.max() == chosen.tile == 192
    given = exp.changed(tile=640, tile_overlap="auto")
    assert infer_settings(given, given.build_train_data()).build_tiling() == Tiling(640, 24)
    with pytest.raises(InputError, match="tiles of 192 px: expected an overlap of 0 to 95 px"):
        exp.changed(tile_overlap=100).build_train_data()
    with pytest.raises(InputError, match=r"tile=auto .*: training chooses auto"):
        exp.build_tiling()
