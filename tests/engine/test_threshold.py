"""The score threshold of the largest F1: found by a real run, carried by its checkpoints, used by
its report, ``tools/eval.py``, demo and the Python API."""

import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

import otadet
from otadet.api import Result
from otadet.choices import DEFAULT_SCORE
from otadet.cli.convert_weights import main as convert
from otadet.cli.demo import main as demo
from otadet.cli.eval import main as evaluate
from otadet.cli.train import main as train
from otadet.data import ShapesDataset, read_image, write_coco
from otadet.engine.checkpoint import load_checkpoint
from otadet.errors import InputError
from otadet.evaluation import OperatingPoint
from otadet.visualize import draw_boxes
from otadet.visualize.boxes import viewable
from tests.engine.conftest import heard
from tests.engine.processes import SMALL


def words(data: Path, output: Path, *more: str) -> list[str]:
    """A run of four steps in fp32, as evaluation and demo compute."""
    return [
        "-n", "quickstart", "-d", "cpu", "-b", "4", "-o", str(output), *SMALL,
        f"data_dir={data}", "train_images=images", "val_images=images",
        "train_ann=annotations/train.json", "val_ann=annotations/train.json", "num_classes=2",
        "max_iters=4", "eval_interval=1000", "val_loss=false", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    shapes = ShapesDataset(8, size=(64, 64), object_size=(16, 48), classes=("circle", "square"))
    write_coco(shapes, folder)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("run")
    assert train(words(data, folder)) == 0
    return folder


def point_of(path: Path) -> OperatingPoint:
    point = load_checkpoint(path).operating_point
    assert point is not None and point.score != DEFAULT_SCORE
    return point


def older(run: Path, folder: Path, **changes: object) -> Path:
    """``best.pth`` as earlier versions wrote it, or with other content."""
    content = torch.load(run / "best.pth", weights_only=True)
    del content["operating_point"]
    torch.save({**content, **changes}, folder / "older.pth")
    return folder / "older.pth"


def on_the_right(run: Path, index: int) -> np.ndarray:
    """The detections that the report drew, without the title."""
    drawn = read_image(run / f"pictures/val_{index:05d}.jpg")
    bar, width = drawn.shape[0] - 480, (drawn.shape[1] - 6) // 2
    return drawn[bar:, width + 6 :].astype(int)


def redrawn(result: Result) -> np.ndarray:
    image, factor = viewable(result.image, shortest=480)
    return draw_boxes(
        image, result.boxes * factor, result.labels, result.class_names, result.scores
    ).astype(int)


def test_checkpoints_and_log_say_it(run: Path) -> None:
    point = point_of(run / "best.pth")
    assert point == point_of(run / "last.pth")
    said = f"score threshold {point.score:.3f}: largest F1 {point.f1:.3f} on the validation set"
    assert (run / "log.txt").read_text(encoding="utf-8").count(said) == 1


def test_the_report_draws_at_it(run: Path, data: Path) -> None:
    point = point_of(run / "best.pth")
    detector = otadet.load(run / "best.pth", device="cpu", score=0.0, fused=False)
    shown = 0
    for index in (int(p.stem[-5:]) for p in (run / "pictures").glob("val_*.jpg")):
        everything = detector(data / f"images/{index:06d}.png")
        drawn, wanted = on_the_right(run, index), everything.above(point.score)
        assert abs(drawn - redrawn(wanted)).mean() < 8  # JPEG's
        assert abs(drawn - redrawn(everything.above(point.score / 2))).mean() > 20
        shown += len(wanted)
    assert shown > 0


def test_resuming_a_finished_run_draws_the_same(run: Path, data: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    before = (again / "pictures/val_00000.jpg").read_bytes()
    shutil.rmtree(again / "pictures")
    assert train(words(data, again, "--resume")) == 0
    assert (again / "pictures/val_00000.jpg").read_bytes() == before


def test_python_demo_and_evaluation_agree(run: Path, data: Path, tmp_path: Path) -> None:
    best, point = run / "best.pth", point_of(run / "best.pth")
    detector = otadet.load(best, device="cpu")
    assert detector.score == point.score
    results = detector.predict(data / "images")
    table, out = tmp_path / "t.csv", str(tmp_path / "out")
    asked = ["image", "-c", str(best), "--path", str(data / "images"), "-d", "cpu", "-o", out,
             "--save-csv", str(table)]  # fmt: skip
    with heard() as lines:
        assert demo(asked) == 0
    assert f"INFO {point} ({best})\n" in lines
    with table.open(newline="") as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    assert len(scores) == sum(map(len, results)) > 0 and min(scores) >= point.score
    with heard() as lines:
        assert evaluate(["-c", str(best), "-d", "cpu", "-o", str(tmp_path), "--plots"]) == 0
    assert f"INFO {point}\n" in lines and f"--conf {point.score:.3f} for demo" in "".join(lines)
    other = older(run, tmp_path, operating_point={"score": 0.9, "f1": 0.5})
    with heard() as lines:
        assert evaluate(["-c", str(other), "-d", "cpu", "-o", str(tmp_path)]) == 0
    assert f"INFO {point}; {other} carries 0.900\n" in lines


def test_a_given_threshold_comes_first(run: Path, data: Path, tmp_path: Path) -> None:
    best, image = run / "best.pth", sorted((data / "images").iterdir())[0]
    low = otadet.load(best, device="cpu", score=0.01)
    assert low.score == 0.01 and len(low(image)) > len(otadet.load(best, device="cpu")(image))
    rows = tmp_path / "r.json"
    asked = ["image", "-c", str(best), "--path", str(image), "-d", "cpu", "-o", str(tmp_path),
             "--save-json", str(rows), "--conf", "0.01"]  # fmt: skip
    with heard() as lines:
        assert demo(asked) == 0
    assert "INFO score threshold 0.01: --conf\n" in lines
    assert len(json.loads(rows.read_text(encoding="utf-8"))) == len(low(image))


def test_an_older_checkpoint_has_the_common_default(run: Path, data: Path, tmp_path: Path) -> None:
    path, image = older(run, tmp_path), sorted((data / "images").iterdir())[0]
    assert load_checkpoint(path).operating_point is None
    assert otadet.load(path, device="cpu").score == DEFAULT_SCORE
    asked = ["image", "-c", str(path), "--path", str(image), "-d", "cpu", "-o", str(tmp_path)]
    with heard() as lines:
        assert demo(asked) == 0
    assert f"INFO score threshold 0.3: the default, {path} holds none\n" in lines


def test_conversion_keeps_it(run: Path, tmp_path: Path) -> None:
    assert convert(["-c", str(run / "best.pth"), "-o", str(tmp_path / "slim.pth")]) == 0
    assert point_of(tmp_path / "slim.pth") == point_of(run / "best.pth")


@pytest.mark.parametrize(
    "value", [{"score": float("nan"), "f1": 0.5}, {"score": 0.5}, {"score": "a", "f1": 1}, 0.5]
)
def test_a_damaged_value_is_refused(run: Path, tmp_path: Path, value: object) -> None:
    path = older(run, tmp_path, operating_point=value)
    with pytest.raises(
        InputError, match=r"older\.pth: operating_point[a-z0-9.]*: (expected|missing)"
    ):
        load_checkpoint(path)


def test_a_network_that_finds_nothing_has_none(data: Path, tmp_path: Path) -> None:
    """Nothing has a score of 1: no F1 is above 0."""
    assert train(words(data, tmp_path, "score_threshold=1.0")) == 0
    best = load_checkpoint(tmp_path / "best.pth")
    assert best.operating_point is None and best.score == DEFAULT_SCORE
    assert "score threshold 0.3: the default" in (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert len(list((tmp_path / "pictures").glob("val_*.jpg"))) == 6


def test_an_operating_point_is_a_plain_value() -> None:
    assert OperatingPoint(**asdict(OperatingPoint(0.5, 0.25))) == OperatingPoint(0.5, 0.25)
    for score, f1 in ((float("nan"), 0.5), (0.5, float("nan")), (0.5, 0.0), (1.5, 0.5)):
        with pytest.raises(ValueError, match="expected a score from 0 to 1"):
            OperatingPoint(score, f1)
