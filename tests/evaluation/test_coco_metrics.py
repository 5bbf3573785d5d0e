"""COCO's numbers: worked by hand, against the theorem cases, and library against library."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from otadet.errors import InputError
from otadet.evaluation import METRIC_NAMES, Evaluation
from otadet.evaluation.backends import Backend, resolve
from otadet.types import Detections, GroundTruth
from tests.evaluation.scenes import coco_evaluator
from tests.helpers import SHARED

Row = tuple[float, float, float, float, int]

HAS_HOTCOCO = importlib.util.find_spec("hotcoco") is not None
BACKENDS = [
    "pycocotools",
    pytest.param(
        "hotcoco", marks=pytest.mark.skipif(not HAS_HOTCOCO, reason="hotcoco is not installed")
    ),
]
both = pytest.mark.parametrize("backend", BACKENDS)


def gt(image_id: int, *rows: Row, ignore: list[Row] | None = None) -> GroundTruth:
    """Objects from x1, y1, x2, y2, label; ignore regions likewise (label -1: every class)."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    regions = np.array(ignore or [], np.float64).reshape(-1, 5)
    return GroundTruth(
        image_id=image_id,
        file_name=f"{image_id}.jpg",
        size=(200, 300),
        boxes=table[:, :4].astype(np.float32),
        labels=table[:, 4].astype(np.int64),
        ignore_boxes=regions[:, :4].astype(np.float32),
        areas=np.prod(table[:, 2:4] - table[:, :2], axis=1),
        ignore_labels=regions[:, 4].astype(np.int64),
    )


def found(*rows: tuple[float, float, float, float, int, float]) -> Detections:
    """Detections from x1, y1, x2, y2, label, score."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 5], table[:, 4].long())


def evaluate(
    gts: list[GroundTruth],
    detections: dict[int, Detections],
    backend: Backend = "auto",
    classes: tuple[str, ...] = ("cat", "dog"),
    cap: int = 100,
) -> Evaluation:
    metrics = coco_evaluator(gts, classes, backend, cap)
    for image_id, value in detections.items():
        metrics.update(image_id, value)
    return metrics.compute()


@both
def test_by_hand(backend: Backend) -> None:
    """One class, three objects. By score: a hit, a miss, a hit of IoU 0.8; one object is missed.

    Precision is 1 up to a recall of 1/3 and 2/3 up to 2/3, so at IoU 0.5 to 0.8 the 101 recalls
    sum up to 34 x 1 + 33 x 2/3 = 56; beyond, the last hit is none: 34.
    """
    gts = [
        gt(4, (0, 0, 50, 40, 0), (100, 100, 150, 150, 0)),
        gt(9, (10, 10, 30, 30, 0)),
        gt(7),
    ]
    detections = {
        4: found((0, 0, 50, 40, 0, 0.9), (100, 100, 150, 140, 0, 0.5)),
        9: found((100, 10, 130, 30, 0, 0.7)),
        7: found(),
    }
    result = evaluate(gts, detections, backend, ("cat",))
    assert list(result.metrics) == list(METRIC_NAMES)
    assert result.metrics["AP50"] == pytest.approx(56 / 101)
    assert result.metrics["AP75"] == pytest.approx(56 / 101)
    assert result.metrics["AP"] == pytest.approx((7 * 56 + 3 * 34) / 10 / 101)
    assert result.metrics["AR1"] == pytest.approx(1 / 3)
    assert result.metrics["AR100"] == pytest.approx((7 * 2 / 3 + 3 * 1 / 3) / 10)
    assert result.metrics["APs"] == 0  # 20 x 20, not found
    assert result.metrics["APl"] == -1  # nothing is that large
    assert result.per_class[0].objects == result.per_class[0].detections == 3
    assert result.metrics["AP50"] == result.per_class[0].AP50
    assert result.notes == ()


@both
@pytest.mark.parametrize("percent", range(52, 100, 5))
def test_thresholds(backend: Backend, percent: int) -> None:
    """A detection of IoU 0.52, 0.57 ... is a hit at all thresholds below."""
    one = [gt(1, (0, 0, 100, 100, 0))]
    metrics = evaluate(one, {1: found((0, 0, 100, percent, 0, 0.9))}, backend, ("cat",)).metrics
    assert metrics["AP"] == pytest.approx((percent - 47) // 5 / 10)
    assert metrics["AP50"] == pytest.approx(1)
    assert metrics["AP75"] == pytest.approx(float(percent > 75))


@both
def test_perfect_detections(backend: Backend) -> None:
    gts = [gt(i, (5, 5, 25, 25, 0), (50, 50, 150, 90, 1)) for i in (1, 2)]
    perfect = {
        t.image_id: found(*((*box, label, 0.9) for box, label in zip(t.boxes.tolist(), t.labels)))
        for t in gts
    }
    result = evaluate(gts, perfect, backend)
    assert {k for k, v in result.metrics.items() if v == 1} == set(METRIC_NAMES) - {"APl", "ARl"}
    assert result.metrics["APl"] == result.metrics["ARl"] == -1
    assert [c.AP for c in result.per_class] == [1, 1]
    assert json.loads(json.dumps(result.metrics)) == result.metrics


@both
def test_no_detections_give_zero(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    gts = [gt(1, (5, 5, 25, 25, 0)), gt(2)]
    for detections in ({}, {1: found(), 2: found()}):
        result = evaluate(gts, detections, backend)
        assert result.metrics["AP"] == result.metrics["AP50"] == result.metrics["AR100"] == 0
        assert result.metrics["APm"] == -1
        assert [(c.AP, c.objects, c.detections) for c in result.per_class] == [
            (0, 1, 0),
            (-1, 0, 0),
        ]
        assert any("no detections at all" in note for note in result.notes)
    assert capsys.readouterr() == ("", "")


@both
def test_no_ground_truth_is_undefined(backend: Backend) -> None:
    result = evaluate([gt(1)], {1: found((1, 1, 9, 9, 0, 0.5))}, backend)
    assert set(result.metrics.values()) == {-1}
    assert any("the ground truth has no object" in note for note in result.notes)


@both
def test_the_first_object_counts(backend: Backend) -> None:
    """pycocotools takes a match with annotation id 0 for none."""
    result = evaluate([gt(0, (5, 5, 25, 25, 0))], {0: found((5, 5, 25, 25, 0, 0.5))}, backend)
    assert result.metrics["AP"] == pytest.approx(1)


@both
@pytest.mark.parametrize(("region_label", "expected"), [(-1, 1.0), (0, 1.0), (1, 0.5)])
def test_detections_in_ignore_regions_do_not_count(
    backend: Backend, region_label: int, expected: float
) -> None:
    """A false one above the only hit lies in a crowd: harmless if that is of its class or of all,
    else the hit's precision is 1/2."""
    gts = [gt(1, (0, 0, 20, 20, 0), ignore=[(100, 100, 200, 200, region_label)])]
    detections = found(
        (110, 110, 130, 130, 0, 0.9), (0, 0, 20, 20, 0, 0.8), (150, 150, 170, 170, 0, 0.7)
    )
    result = evaluate(gts, {1: detections}, backend)
    assert result.metrics["AP"] == pytest.approx(expected)


@both
def test_ignore_regions_without_labels_are_for_every_class(backend: Backend) -> None:
    one = gt(1, (0, 0, 20, 20, 0), (30, 30, 50, 50, 1), ignore=[(100, 100, 200, 200, -1)])
    one = replace(one, ignore_labels=None)
    detections = found(
        (110, 110, 130, 130, 0, 0.9), (0, 0, 20, 20, 0, 0.8),
        (110, 110, 130, 130, 1, 0.9), (30, 30, 50, 50, 1, 0.8),
    )  # fmt: skip
    result = evaluate([one], {1: detections}, backend)
    assert [c.AP for c in result.per_class] == pytest.approx([1, 1])
    assert [c.objects for c in result.per_class] == [1, 1]


@both
def test_the_objects_own_area_decides_its_size(backend: Backend) -> None:
    one = replace(gt(1, (0, 0, 40, 40, 0)), areas=np.array([900.0]))
    result = evaluate([one], {1: found((0, 0, 40, 40, 0, 0.9))}, backend)
    assert result.metrics["APs"] == pytest.approx(1)
    assert result.metrics["APm"] == -1


@both
def test_cap_of_detections(backend: Backend) -> None:
    """The hit is the third by score, so a cap of two does not see it."""
    gts = [gt(1, (0, 0, 20, 20, 0))]
    rows = [(100, 100, 120, 120, 0, 0.9), (60, 60, 80, 80, 0, 0.8), (0, 0, 20, 20, 0, 0.7)]
    three = evaluate(gts, {1: found(*rows)}, backend, cap=3)
    assert three.metrics["AP"] == pytest.approx(1 / 3)
    assert three.metrics["AR100"] == three.metrics["AR10"] == 1
    assert three.metrics["AR1"] == 0
    assert not any("was hit" in n for n in three.notes)
    two = evaluate(gts, {1: found(*rows)}, backend, cap=2)
    assert two.metrics["AP"] == two.metrics["AR100"] == 0
    assert any("cap of 2 detections an image and class was hit 1 times" in n for n in two.notes)


@pytest.mark.skipif(not HAS_HOTCOCO, reason="hotcoco is not installed")
@pytest.mark.parametrize(
    ("name", "images", "cap"),
    [("coco256", 128, 100), ("bccd", 72, 100), ("nuclei", 25, 100), ("nuclei", 25, 300)],
)
def test_backends_agree_on_real_ground_truth(name: str, images: int, cap: int) -> None:
    path = SHARED / "data" / name / "annotations" / "val.json"
    if not path.is_file():
        pytest.skip(f"needs the data set {name!r} in shared/ beside the checkout")
    gts, classes = real_gts(path, images)
    detections = {t.image_id: perturbed(t, len(classes)) for t in gts}
    reference = evaluate(gts, detections, "pycocotools", classes, cap)
    fast = evaluate(gts, detections, "hotcoco", classes, cap)
    assert reference.metrics["AP"] > 0.05
    for key, value in reference.metrics.items():
        assert fast.metrics[key] == pytest.approx(value, abs=1e-6), key
    for a, b in zip(reference.per_class, fast.per_class, strict=True):
        assert pytest.approx(a.AP, abs=1e-6) == b.AP
        assert pytest.approx(a.AP50, abs=1e-6) == b.AP50
        assert (a.name, a.objects, a.detections) == (b.name, b.objects, b.detections)
    assert reference.notes == fast.notes


def real_gts(path: Path, images: int) -> tuple[list[GroundTruth], tuple[str, ...]]:
    """The first images of a COCO file whose categories count from 1; some objects made crowds."""
    document = json.loads(path.read_text(encoding="utf-8"))
    gts = []
    for image in document["images"][:images]:
        rows = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        boxes = np.array([a["bbox"] for a in rows], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([a["category_id"] - 1 for a in rows], np.int64)
        areas = np.array([a["area"] for a in rows], np.float64)
        crowd = np.arange(len(rows)) % 9 == 8
        gts.append(
            GroundTruth(
                image["id"], image["file_name"], (image["height"], image["width"]),
                boxes[~crowd].astype(np.float32), labels[~crowd],
                boxes[crowd].astype(np.float32), areas[~crowd], labels[crowd],
            )
        )  # fmt: skip
    return gts, tuple(c["name"] for c in document["categories"])


def perturbed(gt: GroundTruth, classes: int) -> Detections:
    """What a middling detector gives: shifted, doubled, mixed up, of equal scores, and noise."""
    rng = np.random.default_rng(gt.image_id)
    height, width = gt.size
    boxes = np.repeat(np.concatenate([gt.boxes, gt.ignore_boxes]), 2, axis=0)
    labels = np.repeat(np.append(gt.labels, gt.ignore_labels), 2)
    boxes = boxes + rng.normal(0, 0.08, boxes.shape) * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    noise = rng.uniform(0, 1, (15, 4)) * (width, height, width, height)
    boxes = np.concatenate([boxes, noise])
    labels = np.append(labels, rng.integers(0, classes, 15))
    labels = np.where(rng.random(len(labels)) < 0.1, rng.integers(0, classes), labels)
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    boxes = np.clip(np.concatenate([low, high], axis=1), 0, (width, height, width, height))
    scores = np.round(rng.random(len(labels)), 2)
    order = np.argsort(-scores, kind="stable")
    return Detections(
        torch.from_numpy(boxes[order]).float(),
        torch.from_numpy(scores[order]).float(),
        torch.from_numpy(labels[order]),
    )


def test_processes_together_equal_one_alone() -> None:
    gts = [gt(i, (5, 5, 25, 25, 0), (50, 50, 90, 90, 1)) for i in range(5)]
    detections = {t.image_id: perturbed(replace(t, ignore_labels=np.zeros(0, np.int64)), 2)
                  for t in gts}  # fmt: skip
    alone = coco_evaluator(gts, ("a", "b"))
    parts = [coco_evaluator(gts, ("a", "b")) for _ in range(3)]
    for image_id, value in detections.items():
        alone.update(image_id, value)
        parts[image_id % 3 if image_id < 4 else 0].update(image_id, value)
    parts[2].update(2, found())
    parts[2].update(2, detections[2])  # the second one holds
    states = [pickle.loads(pickle.dumps(part.state())) for part in parts]
    for part in parts:
        part.merge(states)
        assert part.compute() == alone.compute()
    # The same one after the other, whatever the order of images.
    again = coco_evaluator(gts, ("a", "b"))
    for image_id in reversed(detections):
        again.update(image_id, detections[image_id])
    assert again.compute() == alone.compute()


@pytest.mark.parametrize(
    ("image_id", "detections", "message"),
    [
        (5, found(), "image id 5: the data set has no image"),
        (1, found((0, 0, 1, 1, 2, 0.5)), "expected labels 0 to 1, got 2"),
        (1, found((0, 0, 1, 1, -1, 0.5)), "expected labels 0 to 1, got -1"),
        (1, found((0, float("nan"), 1, 1, 0, 0.5)), "finite"),
        (1, found((0, 0, 1, 1, 0, float("inf"))), "finite"),
        (1, Detections(torch.zeros(1, 5), torch.zeros(1), torch.zeros(1).long()), r"\[N, 4\]"),
        (1, Detections(torch.zeros(2, 4), torch.zeros(2), torch.zeros(1).long()), r"labels \[N\]"),
    ],
)
def test_detections_that_are_not_well_formed(
    image_id: int, detections: Detections, message: str
) -> None:
    metrics = coco_evaluator([gt(1)], ("cat", "dog"))
    with pytest.raises(ValueError, match=message):
        metrics.update(image_id, detections)
    assert len(metrics.state().image_ids) == 0


def test_settings_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"'auto', 'pycocotools' or 'hotcoco', got 'fast'"):
        coco_evaluator([], (), backend="fast")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1, got 0"):
        coco_evaluator([], (), max_detections=0)
    with pytest.raises(ValueError, match="each image id once"):
        coco_evaluator([gt(1), gt(1)], ("cat",))
    with pytest.raises(ValueError, match="image id 1: expected labels 0 to 0, got 0 to 1"):
        coco_evaluator([gt(1, (0, 0, 1, 1, 0), (0, 0, 1, 1, 1))], ("cat",))
    if HAS_HOTCOCO:  # one whose numbers differ is as good as none
        with monkeypatch.context() as patch:
            patch.setattr(importlib.metadata, "version", lambda name: "0.5.0")
            assert resolve("auto") == "pycocotools"
        assert resolve("auto") == "hotcoco"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"hotcoco.* not installed.*fast-eval"):
        coco_evaluator([], (), backend="hotcoco")
    assert evaluate([gt(1)], {}).metrics["AP"] == -1  # auto falls back


def test_detections_may_need_gradients_and_half_precision() -> None:
    box = torch.tensor([[5, 5, 25, 25]], dtype=torch.bfloat16, requires_grad=True)
    metrics = coco_evaluator([gt(1, (5, 5, 25, 25, 0))], ("cat",))
    metrics.update(1, Detections(box, torch.ones(1).half(), torch.zeros(1, dtype=torch.int32)))
    assert metrics.compute().metrics["AP"] == pytest.approx(1)
