"""The doctor knows tiles: it names them where they would help, and measures objects in them."""

import json
from pathlib import Path

import numpy as np
import pytest

from otadet.cli.doctor import main as doctor
from otadet.data import write_image


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


def texts(folder: Path, out: Path, *words: str) -> list[str]:
    place = [f"data_dir={folder}", "train_ann=train.json", "val_ann=val.json", "train_images=."]
    words = ("-n", "finetune_nano", *place, "val_images=.", "--json", str(out), *words)
    doctor(words)
    found = json.loads(out.read_text(encoding="utf-8"))["findings"]
    return [str(each) for each in found if each["code"] == "input-too-small"]


def test_tiles_are_named_where_images_are_shrunk_and_objects_vanish(
    large: Path, tmp_path: Path
) -> None:
    found = texts(large, tmp_path / "whole.json")
    assert found and all("shrunk 5.0 times, tile=320 cuts them into tiles" in t for t in found)
    assert texts(large, tmp_path / "tiles.json", "tile=320") == []
