"""Training on tiles that are cut while images are read."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from otadet.cli.train import main as train
from otadet.data import (
    CocoDataset,
    RepeatedDataset,
    ShapesDataset,
    TiledDataset,
    fingerprint,
    write_image,
)
from otadet.data.cache import Where, cached
from otadet.data.summary import summary_lines
from otadet.engine.checkpoint import load_checkpoint
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.tiling import Tiling
from tests.engine.processes import quick

TILING = Tiling(96, 32)


@pytest.fixture(scope="module")
def shapes() -> ShapesDataset:
    return ShapesDataset(4, seed=3, size=(230, 310), object_size=(10.0, 30.0), crowding=0.4)


def test_every_object_up_to_the_overlap_is_whole_in_a_tile(shapes: ShapesDataset) -> None:
    tiles = TiledDataset(shapes, TILING, 0.0, 0)
    found = {index: set() for index in range(4)}
    for i, (image, left, top, *_) in enumerate(tiles._rows.tolist()):
        gt = tiles.ground_truth(i)
        assert len(gt) > 0
        for box, label in zip(gt.boxes + np.array([left, top] * 2, np.float32), gt.labels):
            found[image].add((*np.round(box, 2), label))
    for index in range(4):
        gt = shapes.ground_truth(index)
        small = (gt.boxes[:, 2:] - gt.boxes[:, :2]).max(axis=1) <= 32
        wanted = {(*np.round(b, 2), c) for b, c in zip(gt.boxes[small], gt.labels[small])}
        assert wanted and wanted <= found[index]


def test_a_tile_is_that_part_of_the_image(shapes: ShapesDataset) -> None:
    tiles = TiledDataset(shapes, TILING, 1.0, 0)
    assert tuple(tiles.sizes[0]) == (96, 96)
    for i in (0, len(tiles) // 2, len(tiles) - 1):
        image, left, top, right, bottom = tiles._rows[i].tolist()
        sample, gt = tiles.load(i), tiles.ground_truth(i)
        assert np.array_equal(sample.image, shapes.load(image).image[top:bottom, left:right])
        assert np.array_equal(sample.boxes, gt.boxes) and np.array_equal(sample.labels, gt.labels)
        assert np.array_equal(sample.ignore_boxes, gt.ignore_boxes)
        assert gt.size == sample.image.shape[:2] == sample.geometry.image_size
    again = pickle.loads(pickle.dumps(tiles))
    assert again._last is None and np.array_equal(again.load(1).image, tiles.load(1).image)


def test_a_cut_object_learns_or_is_ignored(tmp_path: Path) -> None:
    """Of three objects at a border one shows 60 %, one 20 %, and one is larger than any tile."""
    image = np.zeros((100, 160, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    boxes = np.array([[90, 10, 100, 20], [94, 40, 104, 50], [0, 60, 160, 100]], np.float32)
    data = dataset(tmp_path, [("a.png", (100, 160), boxes)])
    tiles = TiledDataset(data, Tiling(96, 0), 0.0, 0)
    first = [
        tiles.ground_truth(i) for i, row in enumerate(tiles._rows) if tuple(row[1:3]) == (0, 0)
    ]
    (gt,) = first
    assert gt.boxes.tolist() == [[90, 10, 96, 20], [0, 60, 96, 96]]
    assert gt.ignore_boxes.tolist() == [[94, 40, 96, 50]]
    assert tiles.skipped.get("objects too large for a tile", 0) == 0


def dataset(folder: Path, rows: list[tuple[str, tuple[int, int], np.ndarray]]) -> CocoDataset:
    import json

    images = [{"id": i + 1, "file_name": n, "height": s[0], "width": s[1]}
              for i, (n, s, _) in enumerate(rows)]  # fmt: skip
    annotations = []
    for i, (_, _, boxes) in enumerate(rows):
        for x1, y1, x2, y2 in boxes.tolist():
            annotations.append({
                "id": len(annotations) + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
            })  # fmt: skip
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}
    (folder / "train.json").write_text(json.dumps(content), encoding="utf-8")
    return CocoDataset(folder, "train.json", ".")


def test_empty_tiles_are_a_stated_share_and_a_cache_decodes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for i in range(3):
        write_image(tmp_path / f"{i}.png", np.full((300, 400, 3), 10 * i, np.uint8))
        rows.append((f"{i}.png", (300, 400), np.array([[20, 20, 40, 40]], np.float32)))
    data = dataset(tmp_path, rows)
    counts = [len(TiledDataset(data, TILING, share, 0)) for share in (0.0, 1.0, 1e9)]
    assert counts == [3, 6, 3 * len(TILING.tiles((300, 400)))]
    assert TiledDataset(data, TILING, 0.0, 0).skipped["tiles without objects"] == counts[2] - 3
    decoded = []
    opened = CocoDataset.open_image
    monkeypatch.setattr(
        CocoDataset, "open_image", lambda self, i: (decoded.append(i), opened(self, i))[1]
    )
    kept = cached(TiledDataset(data, TILING, 1e9, 0), "disk", folder=tmp_path / "cache", threads=1)
    assert decoded == [0, 1, 2]
    assert int(kept.load(len(kept) - 1).image[0, 0, 0]) == 20
    with pytest.raises(InputError, match="cache in memory"):
        cached(TiledDataset(ShapesDataset(2), TILING, 1.0, 0), "disk", folder=tmp_path / "cache")


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_cache_in_threads_keeps_every_tile(
    where: Where, shapes: ShapesDataset, tmp_path: Path
) -> None:
    """Tiles of one image share its id, and threads its last decoded pixels."""
    rows = []
    for i in range(4):
        write_image(tmp_path / f"{i}.png", shapes.load(i).image)
        rows.append((f"{i}.png", (230, 310), shapes.ground_truth(i).boxes))
    tiles = TiledDataset(dataset(tmp_path, rows), TILING, 1.0, 0)
    kept = cached(tiles, where, folder=tmp_path / "cache", threads=4, progress=False)
    for i in range(len(tiles)):
        mine, wanted = kept.load(i), tiles.load(i)
        assert np.array_equal(mine.image, wanted.image), i
        assert np.array_equal(mine.boxes, wanted.boxes), i


def test_the_log_says_what_an_epoch_holds(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((300, 400, 3), np.uint8))
    boxes = np.array([[20, 20, 40, 40]], np.float32)
    data = dataset(tmp_path, [("a.png", (300, 400), boxes)])
    tiles = TiledDataset(data, TILING, 1.0, 0)
    lines = summary_lines(RepeatedDataset(tiles, 0.0, 0), "train")
    assert lines[0].startswith("train: 1 image, 1 object, 1 classes (a)")
    assert lines[1:] == [
        "  an epoch: 2 tiles or images, those that are repeated too",
        "  left out: 28 tiles without objects",
    ]
    assert summary_lines(data, "train") == lines[:1]
    assert fingerprint(tiles) == fingerprint(data) is not None


def test_a_run_trains_on_tiles_and_resumes_exactly(tmp_path: Path) -> None:
    words = ["tile=96", "tile_overlap=32", "shapes_size=200,260", "shapes_train=6", "shapes_val=2",
             "shapes_object=10,30", "input_size=96,96", "test_size=96,96"]  # fmt: skip
    settings = {"tile": 96, "shapes_size": (200, 260), "shapes_train": 6}
    exp = load_exp(name="quickstart", overrides=settings)
    assert len(exp.build_train_data()) > 20
    words += ["max_iters=4", "save_interval=2"]
    assert train(quick(tmp_path / "whole", *words)) == 0
    parts = tmp_path / "parts"
    assert train(quick(parts, *words)) == 0
    (parts / "before_last.pth").replace(parts / "last.pth")
    assert load_checkpoint(parts / "last.pth").step < 4
    assert train([*quick(parts, *words), "--resume"]) == 0
    a, b = (load_checkpoint(tmp_path / name / "last.pth").weights for name in ("whole", "parts"))
    assert all((a[key] == b[key]).all() for key in a)
