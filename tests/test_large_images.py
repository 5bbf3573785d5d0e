"""Detection in images that memory does not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import otadet
from otadet.api import Result
from otadet.cli.demo import main as demo
from otadet.data import ShapesDataset, read_image, write_image
from otadet.types import Detections
from otadet.visualize import draw_boxes
from tests.data.rasters import needs_rasterio
from tests.export.networks import checkpoint


@needs_rasterio
def test_a_large_file_gives_the_detections_of_its_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.tif"
    write_image(path, ShapesDataset(1, seed=5, size=(150, 220), object_size=(10, 30)).load(0).image)
    weights = checkpoint(tmp_path)
    options = {"device": "cpu", "score": 0.01, "test_size": (64, 64), "max_detections": 3000}
    detector = otadet.load(weights, **options, tile=64, tile_overlap=16)
    wanted = detector(read_image(path))
    monkeypatch.setattr("otadet.data.large_image.IN_MEMORY", 100)
    result = detector(path)
    assert len(result) > 20 and torch.equal(result.boxes, wanted.boxes)
    assert np.array_equal(result.image, wanted.image) and result.shrunk == 1
    monkeypatch.setattr("otadet.data.windowed_image.overview.__defaults__", (150 * 220 // 9,))
    shrunk = detector(path)
    assert shrunk.image.shape == (37, 55, 3) and shrunk.shrunk == 4
    assert repr(shrunk).endswith(f"55 x 37 px, shrunk 4 times, source={str(path)!r})")
    words = ["image", "-c", str(weights), "-d", "cpu", "--path", str(path), "--tile", "64",
             "-o", str(tmp_path / "drawn"), "test_size=64,64"]  # fmt: skip
    assert demo(words) == 0
    assert read_image(tmp_path / "drawn" / path.name).shape == (37, 55, 3)


def test_boxes_are_drawn_where_they_are_in_a_shrunk_image() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    found = Detections(torch.tensor([[40.0, 80, 160, 200]]), torch.ones(1), torch.zeros(1).long())
    drawn = Result(image, found, ("a",), shrunk=4).plot(labels="off")
    plain = draw_boxes(image, found.boxes / 4, found.labels, ("a",), found.scores, "off")
    assert np.array_equal(drawn, plain) and drawn.any()
