"""The generated data set, and its twin in files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from otadet.data import SHAPES, CocoDataset, Dataset, ShapesDataset, write_coco
from otadet.data.shapes import MIN_VISIBLE
from otadet.data.shapes_draw import outline
from otadet.errors import InputError


def test_a_pure_function_of_seed_and_index() -> None:
    a, b = ShapesDataset(20, 5), ShapesDataset(50, 5)
    late, early = a.load(7), b.load(7)
    b.load(3)
    assert isinstance(a, Dataset)
    assert np.array_equal(late.image, early.image)
    assert np.array_equal(late.image, b.load(7).image)
    assert np.array_equal(late.boxes, early.boxes)
    assert not np.array_equal(late.image, a.load(8).image)
    other = ShapesDataset(20, 6)
    assert not np.array_equal(late.boxes, other.load(7).boxes)
    free = np.ones((256, 256), bool)  # of objects and shadows in both
    for x1, y1, x2, y2 in np.concatenate([a.load(7).boxes, other.load(7).boxes]).astype(int):
        free[max(0, y1 - 16) : y2 + 16, max(0, x1 - 16) : x2 + 16] = False
    assert free.sum() > 500
    difference = late.image[free].astype(int) - other.load(7).image[free]
    assert np.abs(difference).mean() > 10  # the background is another one too


def test_truth_is_that_of_the_image() -> None:
    dataset = ShapesDataset(10, 1, size=(200, 312), classes=("star", "cross"))
    assert dataset.sizes.tolist() == [[200, 312]] * 10
    for index in range(10):
        sample, gt = dataset.load(index), dataset.ground_truth(index)
        assert sample.image.shape == (200, 312, 3)
        assert sample.image.dtype == np.uint8
        assert gt.size == (200, 312)
        assert sample.image_id == gt.image_id == index + 1
        assert np.array_equal(sample.boxes, gt.boxes)
        assert np.array_equal(sample.labels, gt.labels)
        assert sample.boxes.dtype == np.float32
        assert sample.labels.dtype == np.int64
        assert set(gt.labels.tolist()) <= {0, 1}
        assert (gt.boxes >= 0).all()
        assert (gt.boxes <= [312, 200, 312, 200]).all()
        assert (gt.boxes[:, 2:] - gt.boxes[:, :2] > 4).all()
        assert gt.areas.dtype == np.float64
    with pytest.raises(IndexError):
        dataset.ground_truth(10)


def test_every_object_can_be_seen() -> None:
    """Counted anew on full-resolution maps, object by object."""
    import cv2

    dataset = ShapesDataset(12, 3, crowding=1.0)
    hidden = 0
    for index in range(12):
        shapes = dataset.layout(index)
        top = np.full((256, 256), -1)
        for number, shape in enumerate(shapes):
            mask = np.zeros((256, 256), np.uint8)
            cv2.fillPoly(mask, [np.round(shape.outline).astype(np.int32)], 1)
            top[mask > 0] = number
        for number, shape in enumerate(shapes):
            share = (top == number).sum() / cv2.contourArea(shape.outline)
            assert share > MIN_VISIBLE - 0.08  # the layout counts on a map of half the size
            hidden += share < 0.9
    assert hidden > 50  # crowds do overlap


def test_crowding_adds_objects_and_overlap() -> None:
    counts = [
        sum(len(ShapesDataset(10, 0, crowding=c).ground_truth(i)) for i in range(10))
        for c in (0.0, 0.5, 1.0)
    ]
    assert counts[0] * 2 < counts[1]
    assert counts[1] * 1.3 < counts[2]
    assert counts[0] >= 20


def test_objects_are_painted_where_their_boxes_are() -> None:
    """An image with and without its topmost object differs in its box and shadow only."""
    from otadet.data.shapes_draw import paint

    dataset = ShapesDataset(5, 2)
    for index in range(5):
        shapes = dataset.layout(index)
        outlines = [shape.outline for shape in shapes]
        with_it = paint(np.random.default_rng(0), (256, 256), outlines).astype(int)
        without = paint(np.random.default_rng(0), (256, 256), outlines[:-1]).astype(int)
        changed = np.abs(with_it - without).sum(axis=2) > 60  # more than the grain
        x1, y1, x2, y2 = shapes[-1].box.round().astype(int)
        inside = changed[y1:y2, x1:x2]
        assert inside.mean() > 0.3
        changed[max(0, y1 - 12) : y2 + 12, max(0, x1 - 12) : x2 + 12] = False
        assert changed.mean() < 0.01


@pytest.mark.parametrize("name", SHAPES)
def test_outlines_fill_their_size(name: str) -> None:
    corners = outline(name, 40, 60, 0.0)
    assert np.allclose(corners.min(axis=0), (-20, -30), atol=1e-4)
    assert np.allclose(corners.max(axis=0), (20, 30), atol=1e-4)
    quarter = outline(name, 40, 60, np.pi / 2)
    assert np.allclose(quarter.max(axis=0) - quarter.min(axis=0), (60, 40), atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"classes": ("circle", "blob")}, ["'blob'", "'triangle'"]),
        ({"classes": ()}, ["classes"]),
        ({"classes": ("star", "star")}, ["each once"]),
        ({"count": 0}, ["count", "got 0"]),
        ({"crowding": 1.5}, ["crowding", "1.5"]),
        ({"object_size": (24, 300)}, ["object_size", "300"]),
    ],
)
def test_wrong_settings(settings: dict[str, object], parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        ShapesDataset(**{"count": 3, **settings})  # type: ignore[arg-type]
    for part in parts:
        assert part in str(caught.value)


def test_twin_in_files(tmp_path: Path) -> None:
    dataset = ShapesDataset(4, 9, size=(96, 128), object_size=(16, 40))
    path = write_coco(dataset, tmp_path, annotations="annotations/val.json", images="val")
    assert path == tmp_path / "annotations" / "val.json"
    twin = CocoDataset(tmp_path, "annotations/val.json", "val")
    assert twin.class_names == dataset.class_names
    for index in range(4):
        a, b = dataset.load(index), twin.load(index)
        assert np.array_equal(a.image, b.image)
        assert np.allclose(a.boxes, b.boxes, atol=1e-4)
        assert np.array_equal(a.labels, b.labels)
        assert np.allclose(dataset.ground_truth(index).areas, twin.ground_truth(index).areas)
    assert json.loads(path.read_text(encoding="utf-8"))["annotations"][0]["id"] == 1
    assert not list(tmp_path.rglob("*.part"))


def test_ignore_regions_survive_the_files(tmp_path: Path, shared: object) -> None:
    """A region of one class stays one annotation; one for all classes becomes one of each."""
    from dataclasses import replace

    from otadet.types import GroundTruth, Sample

    class WithRegions(ShapesDataset):
        def ground_truth(self, index: int) -> GroundTruth:
            regions = np.array([[0, 0, 9, 9], [5, 5, 20, 20]], np.float32)
            labels = np.array([1, -1])
            return replace(super().ground_truth(index), ignore_boxes=regions, ignore_labels=labels)

        def load(self, index: int) -> Sample:
            return super().load(index)

    write_coco(WithRegions(1, 0, classes=("star", "cross", "circle")), tmp_path)
    gt = CocoDataset(tmp_path, "annotations/train.json", "images").ground_truth(0)
    assert gt.ignore_labels is not None
    assert gt.ignore_labels.tolist() == [1, 0, 1, 2]
    assert gt.ignore_boxes.tolist() == [[0, 0, 9, 9]] + [[5, 5, 20, 20]] * 3
