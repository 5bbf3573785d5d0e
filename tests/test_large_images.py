"""Detection in images that memory does not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

import otadet
from otadet import tile_merge
from otadet.api import Result
from otadet.cli.demo import main as demo
from otadet.data import ShapesDataset, read_image, write_image
from otadet.engine import tiled
from otadet.tile_merge import TileMerge
from otadet.tiling import Tiling
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


@pytest.mark.parametrize("seed", range(4))
def test_a_merge_in_pieces_is_that_of_all_pairs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule, box by box: whatever the number of pairs at a time, and of boxes in NMS."""
    rng = np.random.default_rng(seed)
    image, tiles = (150, 220), Tiling(64, 12).tiles((150, 220))
    found = [scattered(rng, tile.box, 40) for tile in tiles]
    whole = scattered(rng, (0, 0, 220, 150), 60)
    monkeypatch.setattr(tile_merge, "PAIRS", 500)
    merged = TileMerge(0.5, 30, 12)(found, tiles, image, whole)
    parts = [TileMerge(0.5, 30, 12)._own(each, tile) for each, tile in zip(found, tiles)]
    sides = (whole.boxes[:, 2:] - whole.boxes[:, :2]).amax(dim=1)
    rows = [
        (i, bool(is_cut), box, score, label)
        for i, each in enumerate(parts)
        for is_cut, box, score, label in zip(
            tile_merge._is_cut(each.boxes, tiles[i], image), each.boxes, each.scores, each.labels
        )
    ] + [
        (-1, False, box, score, label)
        for side, box, score, label in zip(sides, whole.boxes, whole.scores, whole.labels)
        if side > 12
    ]
    kept = [row for row in rows if not (row[1] and any(holds(other, row) for other in rows))]
    boxes, scores = torch.stack([row[2] for row in kept]), torch.stack([row[3] for row in kept])
    labels = torch.stack([row[4] for row in kept])
    wanted = batched_nms(boxes, scores, labels, 0.5)[:30]
    assert 20 < len(wanted) < len(kept) < len(rows)
    assert torch.equal(merged.boxes, boxes[wanted]) and torch.equal(merged.scores, scores[wanted])


Row = tuple[int, bool, torch.Tensor, torch.Tensor, torch.Tensor]


def holds(other: Row, row: Row) -> bool:
    """Whether a box of another tile is better than a cut one and holds most of it."""
    (x1, y1, x2, y2), (a1, b1, a2, b2) = row[2].tolist(), other[2].tolist()
    size, other_size = (x2 - x1) * (y2 - y1), (a2 - a1) * (b2 - b1)
    inside = max(0, min(x2, a2) - max(x1, a1)) * max(0, min(y2, b2) - max(y1, b1))
    better = not other[1] or other_size > size
    return other[0] != row[0] and other[4] == row[4] and better and inside > 0.6 * size


def scattered(rng: np.random.Generator, box: tuple[int, int, int, int], count: int) -> Detections:
    """Detections of two classes anywhere in a window."""
    low, high = np.array(box[:2]), np.array(box[2:])
    corners = np.sort(rng.uniform(low, high, (2, count, 2)), axis=0)
    boxes = torch.from_numpy(np.concatenate(corners, axis=1).astype(np.float32))
    scores = torch.from_numpy(rng.uniform(0.1, 1, count).astype(np.float32))
    return Detections(boxes, scores, torch.from_numpy(rng.integers(0, 2, count)))


def test_of_too_many_detections_the_best_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "MOST_BOXES", 50)
    rng = np.random.default_rng(0)
    found = [scattered(rng, (0, 0, 99, 99), 33) for _ in range(3)]
    assert tiled._best(found) is found
    found.append(scattered(rng, (0, 0, 99, 99), 33))
    best = tiled._best(found)
    scores = torch.cat([each.scores for each in found]).sort(descending=True).values
    assert torch.equal(
        torch.cat([e.scores for e in best]).sort(descending=True).values, scores[:50]
    )
