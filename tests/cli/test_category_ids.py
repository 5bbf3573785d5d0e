"""Category ids of the training data in checkpoints and results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from otadet.cli import convert_weights, demo, eval, train
from otadet.data.coco_classes import COCO_CLASSES, COCO_IDS
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from tests.doctor.broken import coco, make_coco
from tests.engine.processes import SMALL
from tests.helpers import SHARED, needs_shared

NANO = SHARED / "weights/yolox_nano_coco.pth"
IDS = {"ant": 17, "bee": 3}


def _renumber(document: dict[str, Any]) -> None:
    new = {each["id"]: IDS[each["name"]] for each in document["categories"]}
    for each in document["categories"]:
        each["id"] = new[each["id"]]
    for each in document["annotations"]:
        each["category_id"] = new[each["category_id"]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO data set whose ids are neither 1, 2 nor in the order of the names."""
    root = tmp_path_factory.mktemp("data")
    make_coco(root)
    for split in ("train", "val"):
        coco(_renumber, split)(root)
    return root


@pytest.fixture(scope="module")
def best(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained for two steps with the classes in an order of its own."""
    out = tmp_path_factory.mktemp("run")
    words = ["-n", "quickstart", "-d", "cpu", "-b", "2", "-o", str(out), f"data_dir={data}"]
    assert train.main([*words, *SMALL, "max_iters=2", "class_names=ant,bee", "cache=memory"]) == 0
    return out / "best.pth"


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)


def results(checkpoint: Path, folder: Path, *words: str) -> list[dict[str, Any]]:
    rows = folder / "rows.json"
    argv = ["image", "-c", str(checkpoint), "-d", "cpu", "-o", str(folder / "drawn")]
    assert demo.main([*argv, "--conf", "0.001", "--save-json", str(rows), *words]) == 0
    found: list[dict[str, Any]] = json.loads(rows.read_text(encoding="utf-8"))
    assert found
    return found


def pairs(rows: list[dict[str, Any]]) -> set[tuple[str, int]]:
    return {(row["category_name"], row["category_id"]) for row in rows}


def test_ids_of_the_training_data_are_those_of_the_results(
    data: Path, best: Path, tmp_path: Path, said: list[str]
) -> None:
    checkpoint = load_checkpoint(best)
    assert (checkpoint.class_names, checkpoint.category_ids) == (("ant", "bee"), (17, 3))
    assert load_checkpoint(best.with_name("last.pth")).category_ids == (17, 3)
    rows = results(best, tmp_path, "--path", str(data / "images"))
    assert pairs(rows) == {("ant", 17), ("bee", 3)}
    assert not any("category ids" in line for line in said)

    slim = tmp_path / "slim.pth"
    words = ["-c", str(best), "-o", str(slim), "--classes", "Ameise,Biene"]
    assert convert_weights.main(words) == 0
    assert load_checkpoint(slim).category_ids == (17, 3)


def _without_ids(best: Path, path: Path, **changes: object) -> Path:
    content = torch.load(best, weights_only=True)
    del content["category_ids"]
    torch.save({**content, **changes}, path)
    return path


def test_an_older_checkpoint_counts_from_one_and_says_so(
    data: Path, best: Path, tmp_path: Path, said: list[str]
) -> None:
    old = _without_ids(best, tmp_path / "old.pth")
    rows = results(old, tmp_path, "--path", str(data / "images"))
    assert pairs(rows) == {("ant", 1), ("bee", 2)}
    lines = [line for line in said if line.startswith("category ids: the class indices plus one")]
    assert len(lines) == 1 and "--annotations FILE" in lines[0]


def test_ids_of_a_given_file_are_found_by_name(data: Path, best: Path, tmp_path: Path) -> None:
    old = _without_ids(best, tmp_path / "old.pth")
    given = data / "annotations/val.json"
    images = [str(path) for path in sorted((data / "images").glob("val_*"))]
    rows = results(old, tmp_path, "--annotations", str(given), "--path", *images)
    assert pairs(rows) == {("ant", 17), ("bee", 3)}
    listed = json.loads(given.read_text(encoding="utf-8"))["images"]
    assert {(row["file_name"], row["image_id"]) for row in rows} <= {
        (each["file_name"], each["id"]) for each in listed
    }
    COCO(str(given)).loadRes(str(tmp_path / "rows.json"))  # raises for an unknown image


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([17], "category_ids: expected 2 different integers"),
        ([17, 17], "category_ids: expected 2 different integers"),
        (["17", 3], r"category_ids\[0\]: expected a whole number, got '17'"),
        ([True, 3], r"category_ids\[0\]: expected a whole number, got True"),
        ({"ant": 17}, "category_ids: expected a list, got a dict"),
    ],
)
def test_ids_that_do_not_fit_the_classes(
    best: Path, tmp_path: Path, ids: object, message: str
) -> None:
    path = _without_ids(best, tmp_path / "x.pth", category_ids=ids)
    with pytest.raises(InputError, match=message):
        load_checkpoint(path)


@needs_shared
def test_results_of_published_weights_have_the_ap_of_the_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file's ids are 1 to 80 for classes, and others than the names' numbers for images."""
    assert COCO_IDS[11:13] == (13, 14) and len(COCO_IDS) == 80 and COCO_IDS[-1] == 90
    checkpoint = open_weights(NANO)
    assert (checkpoint.class_names, checkpoint.category_ids) == (COCO_CLASSES, COCO_IDS)
    root = SHARED / "data/coco256"
    small = ["test_size=160,160", "score_threshold=0.01"]
    data = [f"data_dir={root}", "val_ann=annotations/val.json", "val_images=images", "workers=0"]
    out = tmp_path / "eval"
    assert eval.main(["-c", str(NANO), "-d", "cpu", "-o", str(out), *small, *data]) == 0
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))

    given = root / "annotations/val.json"
    gt = COCO(str(given))
    images = [str(root / "images" / each["file_name"]) for each in gt.loadImgs(gt.getImgIds())]
    words = ["--annotations", str(given), "--path", *images, "--conf", "0.01", *small]
    rows = results(NANO, tmp_path, *words)
    assert {row["category_name"]: row["category_id"] for row in rows}["stop sign"] == 12
    judge = COCOeval(gt, gt.loadRes(str(tmp_path / "rows.json")), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    capsys.readouterr()
    assert judge.stats[0] == pytest.approx(metrics["AP"], abs=1e-3) and metrics["AP"] > 0.1
