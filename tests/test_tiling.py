"""Tiles: geometry, merging, and detection over them."""

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger
from torchvision.ops import box_iou

import otadet
from otadet.cli.demo import main as demo
from otadet.data import ArrayImage, ShapesDataset, write_image
from otadet.engine.evaluate import evaluate, evaluate_images
from otadet.engine.tiled import detect_tiled, over_tiles
from otadet.errors import DetectionWarning, InputError
from otadet.exp import BaseExp, load_exp
from otadet.geometry import Geometry
from otadet.tile_merge import TileMerge
from otadet.tiling import Tile, Tiling
from otadet.types import Batch, Detections, GroundTruth, Sample
from tests.export.networks import checkpoint

TILING = st.integers(16, 120).flatmap(
    lambda size: st.builds(Tiling, st.just(size), st.integers(0, (size - 1) // 2))
)
SIDES = st.tuples(st.integers(1, 400), st.integers(1, 400))
LARGE = st.tuples(st.integers(70, 400), st.integers(70, 400))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TILING, SIDES)
def test_tiles_cover_an_image_and_cores_cover_it_once(
    tiling: Tiling, image: tuple[int, int]
) -> None:
    tiles = tiling.tiles(image)
    seen = np.zeros(image, bool)
    for tile in tiles:
        left, top, right, bottom = tile.box
        assert 0 <= left < right <= image[1] and 0 <= top < bottom <= image[0]
        assert tile.size == (min(tiling.size, image[0]), min(tiling.size, image[1]))
        seen[top:bottom, left:right] = True
        assert left <= tile.core[0] < tile.core[2] <= right
        assert top <= tile.core[1] < tile.core[3] <= bottom
    assert seen.all()
    assert sum(
        (t.core[2] - t.core[0]) * (t.core[3] - t.core[1]) for t in tiles
    ) == pytest.approx(image[0] * image[1])  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TILING, SIDES, st.data())
def test_an_object_up_to_the_overlap_lies_whole_in_the_tile_of_its_centre(
    tiling: Tiling, image: tuple[int, int], data: st.DataObject
) -> None:
    height = data.draw(st.integers(1, max(1, min(tiling.overlap, image[0]))))
    width = data.draw(st.integers(1, max(1, min(tiling.overlap, image[1]))))
    top = data.draw(st.integers(0, image[0] - height))
    left = data.draw(st.integers(0, image[1] - width))
    x, y = left + width / 2, top + height / 2
    owners = [
        t for t in tiling.tiles(image)
        if t.core[0] <= x <= t.core[2] and t.core[1] <= y <= t.core[3]
    ]  # fmt: skip
    assert owners
    if tiling.overlap == 0:
        return
    for tile in owners:
        x1, y1, x2, y2 = tile.box
        assert x1 <= left and y1 <= top and left + width <= x2 and top + height <= y2


def test_wrong_tiles() -> None:
    with pytest.raises(
        ValueError, match="tiles of 64 px: expected an overlap of 0 to 31 px, got 32"
    ):
        Tiling(64, 32)
    with pytest.raises(InputError, match="tile, tile_overlap: tiles of 64 px: expected an overlap"):
        load_exp(name="quickstart", overrides={"tile": 64, "tile_overlap": 40})
    with pytest.raises(InputError, match="tile=64 and tta=flip: expected one of them"):
        load_exp(name="quickstart", overrides={"tile": 64, "tta": "flip"})
    with pytest.raises(InputError, match="tile_overlap=8 has no effect with tile=none"):
        load_exp(name="quickstart", overrides={"tile_overlap": 8})


def bright(batch: Batch) -> list[Detections]:
    """A detector of bright rectangles; what a tile cuts it sees as a smaller one."""
    found = []
    for image, geometry in zip(batch.images, batch.geometries):
        mask = (image[0] > 200).numpy().astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        x, y, w, h = torch.from_numpy(stats[1:, :4].astype(np.float32)).unbind(dim=1)
        boxes = geometry.to_image(torch.stack([x, y, x + w, y + h], dim=1))
        scores = 0.5 + 0.4 * torch.rand(len(boxes))
        found.append(Detections(boxes, scores, torch.zeros(len(boxes), dtype=torch.int64)))
    return found


def tiled(size: int, overlap: int, whole: bool = False) -> BaseExp:
    return load_exp(
        name="quickstart",
        overrides={
            "tile": size, "tile_overlap": overlap, "tile_whole": whole,
            "test_size": (size, size), "max_detections": 2000,
        },
    )  # fmt: skip


def rows(boxes: torch.Tensor) -> list[tuple[float, ...]]:
    return sorted(tuple(round(v, 3) for v in box) for box in boxes.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_tiles_find_what_the_whole_image_shows(seed: int) -> None:
    """Squares up to the overlap anywhere, also on the corners of four tiles: each once."""
    rng = np.random.default_rng(seed)
    size, overlap = 96, 32
    image = np.full((int(rng.integers(200, 420)), int(rng.integers(200, 420)), 3), 40, np.uint8)
    for tile in Tiling(size, overlap).tiles(image.shape[:2]):  # on the middle lines' crossings
        x, y = int(tile.core[2]), int(tile.core[3])
        image[max(0, y - 9) : y + 8, max(0, x - 7) : x + 9] = 255
    for _ in range(60):
        h, w = rng.integers(2, overlap - 4, 2)
        y, x = rng.integers(0, image.shape[0] - h), rng.integers(0, image.shape[1] - w)
        if not (image[max(0, y - 2) : y + h + 2, max(0, x - 2) : x + w + 2] == 255).any():
            image[y : y + h, x : x + w] = 255
    exp = tiled(size, overlap)
    tiling = exp.build_tiling()
    assert tiling is not None
    found = detect_tiled(ArrayImage(image), exp, tiling, bright, 4)
    _, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 0] > 200).astype(np.uint8))
    wanted = [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h, _ in stats[1:]]
    assert len(wanted) > 30
    assert rows(found.boxes) == sorted(wanted)
    assert (found.scores.diff() <= 0).all()


def test_objects_larger_than_a_tile_come_from_the_whole_image() -> None:
    image = np.full((300, 400, 3), 40, np.uint8)
    image[40:260, 60:330] = 255
    image[4:20, 4:24] = 255
    exp = tiled(96, 32, whole=True)
    tiling = exp.build_tiling()
    assert tiling is not None
    found = detect_tiled(ArrayImage(image), exp, tiling, bright, 3)
    large, small = found.boxes[(found.boxes[:, 2] < 30).int().argsort()]
    assert (large - torch.tensor([60.0, 40, 330, 260])).abs().max() < 5
    assert small.tolist() == [4, 4, 24, 20]
    alone = detect_tiled(ArrayImage(image), tiled(96, 32), tiling, bright, 3)
    assert len(alone.boxes) > 2


def test_an_image_smaller_than_a_tile_is_detected_in_as_it_is() -> None:
    calls = []

    def detect(batch: Batch) -> list[Detections]:
        calls.append(len(batch))
        return bright(batch)

    image = np.full((60, 80, 3), 40, np.uint8)
    image[10:30, 20:50] = 255
    exp = tiled(96, 32, whole=True)
    tiling = exp.build_tiling()
    assert tiling is not None
    assert rows(detect_tiled(ArrayImage(image), exp, tiling, detect, 4).boxes) == [(20, 10, 50, 30)]
    assert calls == [1]


def detections(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    table = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    count = len(table)
    return Detections(table, torch.full((count,), score), torch.zeros(count, dtype=torch.int64))


LEFT = Tile((0, 0, 100, 100), (0, 0, 85, 100))
RIGHT = Tile((70, 0, 170, 100), (85, 0, 170, 100))


def test_two_objects_that_overlap_stay_two() -> None:
    """In the overlap of two tiles, at IoU 0.5, both seen by both tiles."""
    pair = ((74.0, 20, 94, 40), (80.0, 20, 100, 40))  # IoU 0.54; centres 84 and 90
    merged = TileMerge(0.6, 100, 30)(
        (detections(*pair), detections(*pair, score=0.8)), (LEFT, RIGHT), (100, 170)
    )
    assert rows(merged.boxes) == sorted(pair)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(60, 120), st.integers(0, 2**32), LARGE)
def test_every_object_of_a_crowd_is_found_once(
    size: int, seed: int, image: tuple[int, int]
) -> None:
    """Objects up to the overlap, of which two may share more than half: also at tiles' corners."""
    rng = np.random.default_rng(seed)
    overlap = int(rng.integers(16, (size - 1) // 2))
    tiling = Tiling(size, overlap)
    crowd = crowded(rng, image, overlap - 7)  # none ends within 3 px of its tile's border
    found = []
    for tile in tiling.tiles(image):
        window = torch.tensor([*tile.box[:2], *tile.box[:2], *tile.box[2:], *tile.box[2:]])
        seen = torch.minimum(torch.maximum(crowd, window[:4]), window[4:])
        seen = seen[((seen[:, 2:] - seen[:, :2]) > 1).all(dim=1)]
        scores = torch.from_numpy(rng.uniform(0.1, 1, len(seen)).astype(np.float32))
        found.append(Detections(seen, scores, torch.zeros(len(seen), dtype=torch.int64)))
    merged = TileMerge(0.6, 1000, overlap)(found, tiling.tiles(image), image)
    assert rows(merged.boxes) == rows(crowd)


def crowded(rng: np.random.Generator, image: tuple[int, int], largest: int) -> torch.Tensor:
    """Boxes in clumps of up to ``largest`` pixels, inside the image, no two of an IoU over 0.55."""
    sides = rng.integers(2, largest + 1, (30, 2))
    limit = np.array([image[1], image[0]]) - sides
    clumps = rng.uniform(0, limit[:6])[rng.integers(0, 6, 30)]
    low = np.floor(np.clip(clumps + rng.normal(0, 6, (30, 2)), 0, limit))
    boxes = torch.from_numpy(np.concatenate([low, low + sides], axis=1).astype(np.float32))
    iou = box_iou(boxes, boxes)
    kept: list[int] = []
    for index in range(len(boxes)):
        if not kept or iou[index, kept].max() <= 0.55:
            kept.append(index)
    return boxes[kept]


def test_ap_by_size_counts_pixels_of_the_original() -> None:
    """Objects of 24 and 36 px: small and medium, although tiles show them twice as large."""
    exp = tiled(96, 40).changed(test_size=(192, 192))
    data = Squares((24, 36))
    tiling = exp.build_tiling()
    assert tiling is not None
    result = evaluate_images(over_tiles(exp, tiling, bright, 4), data, exp)
    assert (result.metrics["AP"], result.metrics["APs"], result.metrics["APm"]) == (1, 1, 1)
    small = evaluate_images(over_tiles(exp, tiling, bright, 4), Squares((24, 24)), exp)
    assert small.metrics["APs"] == 1 and not small.metrics["APm"] > 0


class Squares(ShapesDataset):
    """One image of bright squares of these sides, also across the borders of tiles."""

    def __init__(self, sides: tuple[int, ...]) -> None:
        super().__init__(1, size=(260, 330), classes=("square",))
        corners = [(x, y) for y in (10, 70, 130, 190) for x in (12, 72, 132, 192, 252)]
        self.boxes = np.array(
            [(x, y, x + side, y + side) for (x, y), side in zip(corners, itertools.cycle(sides))],
            np.float32,
        )

    def _truth(self, index: int) -> GroundTruth:
        count = len(self.boxes)
        areas = (self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1).astype(np.float64)
        return GroundTruth(
            1, "1.png", (260, 330), self.boxes, np.zeros(count, np.int64),
            np.zeros((0, 4), np.float32), areas,
        )  # fmt: skip

    def load(self, index: int) -> Sample:
        image = np.full((260, 330, 3), 40, np.uint8)
        for x1, y1, x2, y2 in self.boxes.astype(int):
            image[y1:y2, x1:x2] = 255
        gt = self.ground_truth(index)
        return Sample(image, gt.boxes, gt.labels, gt.ignore_boxes, 1, Geometry.identity((260, 330)))


def test_an_object_on_the_middle_line_is_found_once_although_the_tiles_disagree() -> None:
    left, right = detections((75, 20, 96, 40)), detections((74, 20, 95, 40), score=0.8)
    merged = TileMerge(0.6, 100, 30)((left, right), (LEFT, RIGHT), (100, 170))
    assert rows(merged.boxes) == [(75, 20, 96, 40)]  # each thought that it was the other's


def test_a_part_gives_way_to_the_whole() -> None:
    """An object of 45 px, more than the overlap: whole in the right tile, cut in the left."""
    left, right = detections((72, 20, 99, 60)), detections((72, 20, 117, 60), score=0.5)
    merged = TileMerge(0.6, 100, 30)((left, right), (LEFT, RIGHT), (100, 170))
    assert rows(merged.boxes) == [(72, 20, 117, 60)]


def test_evaluation_demo_and_api_see_the_same_tiles(tmp_path: Path) -> None:
    weights = checkpoint(tmp_path)
    data = ShapesDataset(3, seed=5, size=(150, 220), object_size=(10.0, 30.0))
    image = data.load(0).image
    write_image(tmp_path / "large.png", image)
    options = {"device": "cpu", "score": 0.01, "test_size": (64, 64), "max_detections": 3000}
    detector = otadet.load(weights, **options, tile=64, tile_overlap=16)
    found = detector.predict(tmp_path / "large.png")[0]
    whole = otadet.load(weights, **options).predict(tmp_path / "large.png")[0]
    assert len(found.boxes) > len(whole.boxes) > 0
    json_file = tmp_path / "found.json"
    words = ["image", "-c", str(weights), "-d", "cpu", "--path", str(tmp_path / "large.png"),
             "--tile", "64", "--conf", "0.01", "-o", str(tmp_path / "drawn"), "tile_overlap=16",
             "test_size=64,64", "max_detections=3000", "--save-json", str(json_file)]  # fmt: skip
    assert demo(words) == 0
    drawn = json.loads(json_file.read_text(encoding="utf-8"))
    assert [each["score"] for each in drawn] == pytest.approx(found.scores.tolist(), abs=1e-4)
    predictor = detector.predictor
    evaluator = predictor.exp.build_evaluator(data)
    evaluate(
        predictor.model, data, predictor.exp, predictor.device, predictor.precision, 2,
        evaluator=evaluator,
    )  # fmt: skip
    each = [predictor(data.load(i).image) for i in range(3)]
    scores = np.sort(np.concatenate([d.scores.numpy() for d in each]))
    assert np.allclose(np.sort(evaluator.state().scores), scores, atol=1e-5)


def test_a_user_is_told_of_small_objects_and_of_a_limit(tmp_path: Path) -> None:
    weights = checkpoint(tmp_path)
    image = ShapesDataset(1, seed=5, size=(150, 220), object_size=(10.0, 30.0)).load(0).image
    options = {"device": "cpu", "score": 0.01, "test_size": (64, 64)}
    with pytest.warns(DetectionWarning, match=r"image: 220 x 150 px are shrunk 3\.5 times"):
        otadet.load(weights, **options, max_detections=3000).predict([image, image])
    with pytest.warns(
        DetectionWarning, match="has 20 detections, as many as max_detections=20 keeps"
    ):
        otadet.load(weights, **options, max_detections=20, tile=64).predict(image)
    write_image(tmp_path / "large.png", image)
    words = ["image", "-c", str(weights), "-d", "cpu", "--path", str(tmp_path / "large.png")]
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    try:
        assert demo([*words, "-o", str(tmp_path / "drawn"), "test_size=64,64"]) == 0
    finally:
        logger.remove(sink)
    assert ["shrunk 3.5 times" in line for line in lines].count(True) == 1
