"""The report of a run: its numbers, and what becomes of it where things are missing."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otadet.cli.eval import main as evaluate
from otadet.cli.report import main as report_command
from otadet.cli.train import main as train
from otadet.data import BatchOrder, build_loader
from otadet.data.shapes import ShapesDataset
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.run_record import read_record
from otadet.engine.stages import SampleSchedule, build_stages
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.pages import Mark
from otadet.run_report import gather, open_run, write_page
from otadet.run_report.augmented import augmented_images, step_samples
from otadet.run_report.curves import curves
from otadet.run_report.data_charts import data_charts
from otadet.run_report.metric_lines import MetricLines
from otadet.run_report.timing import duration
from otadet.types import GroundTruth
from tests.doctor.broken import coco
from tests.engine.processes import quick, started
from tests.helpers import HOSTILE, SHARED, needs_shared
from tests.test_snippets import ROOT, fenced


def text_of(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage; the data stay where they are."""
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))


def test_training_leaves_a_page_that_escapes_every_name(finished: Path) -> None:
    page = text_of(finished / "run")
    assert "&lt;script&gt;document.title" in page and HOSTILE[0] not in page
    assert "<i onload" not in page and "&lt;i onload" in page
    assert "http://" not in page and "https://" not in page
    assert '<h2 id="curves">' in page and "finished: step 6 of 6" in page
    report = gather(open_run(finished / "run"))
    assert report.missing == {} and report.status == "finished"
    assert {group.title for group in report.examples} <= {"worst", "most contested", "best"}
    assert [len(each.figures) for each in report.augmented] == [4]  # a batch
    assert report.timing is not None and report.timing.steps > 0 < report.timing.evaluation
    assert report.scores is not None
    assert sum(c.train or 0 for c in report.scores.classes) > 0


def test_a_page_anew_is_the_same(finished: Path, run: Path) -> None:
    before = text_of(run)
    (run / "report.html").unlink()
    assert report_command([str(run)]) == 0
    assert text_of(run).replace(str(run), "RUN") == before.replace(str(finished / "run"), "RUN")


def test_the_docs_read_a_report_from_python(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (block,) = fenced(ROOT / "docs/report.md", "python")
    shutil.copytree(finished / "run", tmp_path / "runs/finetune_nano")
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    assert capsys.readouterr().out.count("missed") == 1


@needs_shared
def test_the_numbers_are_those_of_an_evaluation(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [
        "-n", "finetune_nano", "-c", str(SHARED / "weights/yolox_nano_coco_unfolded.pth"), "-d",
        "cpu", "-b", "8", "-o", str(out), f"data_dir={SHARED / 'data/bccd'}", "max_iters=30",
        "input_size=128,160", "test_size=128,160", "workers=0", "eval_interval=1000",
    ]  # fmt: skip
    assert train(words) == 0
    assert evaluate(["-c", str(out / "best.pth"), "-d", "cpu", "-b", "8"]) == 0
    expected = json.loads((out / "eval/metrics.json").read_text(encoding="utf-8"))
    report = gather(open_run(out))
    assert report.best is not None and report.scores is not None
    assert expected["AP50"] > 0.02
    assert report.best.metrics == pytest.approx(expected, abs=1e-6)
    assert report.scores.metrics == pytest.approx(expected, abs=1e-6)
    point = report.best.operating_point
    assert point is not None and report.scores.score == point.score
    assert report.scores.f1 == pytest.approx(point.f1, abs=1e-9)
    classes = [c.AP for c in report.scores.classes]
    assert sum(classes) / len(classes) == pytest.approx(expected["AP"], abs=1e-6)
    hits, wrong = report.scores.matches.hits.sum(), report.scores.matches.false_alarms.sum()
    assert hits / (hits + wrong) == pytest.approx(report.scores.precision)
    size = (out / "report.html").stat().st_size
    assert size < 5e6 and f"{expected['AP50']:.3f}" in text_of(out)


def test_a_run_that_is_going_and_then_stopped(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = quick(out, f"data_dir={finished / 'data'}", "max_iters=100000", "eval_interval=1")
    with started(words, tmp_path / "log") as process:
        process.wait_for(lambda: (out / "best_detections.npz").exists())
        going = gather(open_run(out))
        assert going.status == "running" and going.scores is not None
        assert report_command([str(out)]) == 0
        assert "running: step" in text_of(out) and "--resume" not in text_of(out)
        process.kill(signal.SIGTERM)
        assert process.end() == 128 + signal.SIGTERM
    assert report_command([str(out)]) == 0
    assert "stopped: step" in text_of(out) and "otadet train --resume -o" in text_of(out)
    stopped = gather(open_run(out))
    assert 0 < stopped.step < 100_000 and stopped.curves


def test_a_run_without_a_detection(finished: Path, tmp_path: Path) -> None:
    words = [f"data_dir={finished / 'data'}", "max_iters=2", "score_threshold=0.999"]
    assert train(quick(tmp_path / "run", *words)) == 0
    report = gather(open_run(tmp_path / "run"))
    assert report.scores is not None and report.missing == {}
    assert any("no detections at all" in note for note in report.scores.notes)
    assert report.scores.f1 == 0 and report.scores.errors[-1].count > 0
    assert "no detections at all" in text_of(tmp_path / "run")


def test_a_run_before_its_first_checkpoint(run: Path) -> None:
    for name in ("best.pth", "last.pth", "before_last.pth", "best_detections.npz"):
        (run / name).unlink(missing_ok=True)
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 7, "kind": "tr')  # being written
    report = gather(open_run(run))
    assert report.scores is None and report.best is None and report.curves and report.augmented
    assert set(report.missing) == {"best weights", "validation"}
    write_page(report)
    assert "Left out" in text_of(run) and "max_iters" in text_of(run)


def test_data_that_have_moved(run: Path, finished: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(finished / "data", tmp_path / "moved"))
    away = finished / "data.away"
    (finished / "data").rename(away)
    try:
        report = gather(open_run(run))
        assert {"training set", "validation set"} <= set(report.missing)
        assert report.scores is not None and report.rows and not report.examples
        write_page(report)
        again = gather(open_run(run, words=[f"data_dir={moved}"]))
        assert again.missing == {} and again.examples
    finally:
        away.rename(finished / "data")

    def without_one(file: dict[str, Any]) -> None:
        file["images"].pop()
        kept = {image["id"] for image in file["images"]}
        file["annotations"] = [a for a in file["annotations"] if a["image_id"] in kept]

    coco(without_one, "val")(moved)
    changed = gather(open_run(run, words=[f"data_dir={moved}"]))
    assert "no longer that of the run" in changed.missing["validation images"]


def test_a_run_of_an_older_version(run: Path) -> None:
    expected = load_checkpoint(run / "best.pth").metrics
    for name in ("run.json", "best_detections.npz"):
        (run / name).unlink()
    lines = [
        json.loads(x) for x in (run / "metrics.jsonl").read_text(encoding="utf-8").split("\n") if x
    ]
    new = {"seconds", "eval_seconds", "peak_memory_mib"}
    old = [json.dumps({k: v for k, v in line.items() if k not in new}) for line in lines]
    (run / "metrics.jsonl").write_text("\n".join(old) + "\n", encoding="utf-8")
    assert report_command([str(run), "-d", "cpu"]) == 0
    report = gather(open_run(run))
    assert report.scores is not None and report.scores.metrics == pytest.approx(expected, abs=1e-6)
    assert report.record is None and report.timing is None
    assert "later versions write" in text_of(run)


def test_a_page_that_fails_does_not_fail_the_run(finished: Path, tmp_path: Path) -> None:
    """An experiment of one's own that breaks once the run has ended."""
    own = tmp_path / "own.py"
    own.write_text(
        "from pathlib import Path\n"
        "from otadet.exp import load_class\n"
        "class Own(load_class(name='quickstart')):\n"
        "    def before_step(self, model, progress):\n"
        f"        Path({str(tmp_path / 'begun')!r}).touch()\n"
        "    def group_by_aspect(self):\n"
        f"        if Path({str(tmp_path / 'begun')!r}).exists():\n"
        "            raise KeyError('a mistake')\n"
        "        return False\n",
        encoding="utf-8",
    )
    words = quick(tmp_path / "run", f"data_dir={finished / 'data'}", "max_iters=2")
    assert train(["-f", str(own), *words[2:]]) == 0
    log = (tmp_path / "run/log.txt").read_text(encoding="utf-8")
    assert "report.html was not written: KeyError: 'a mistake'; try `otadet report" in log
    assert not (tmp_path / "run/report.html").exists() and (tmp_path / "run/pictures").is_dir()
    (tmp_path / "begun").unlink()
    report = gather(open_run(tmp_path / "run"))
    assert "-f FILE" in report.missing["experiment"] and report.scores is not None
    assert gather(open_run(tmp_path / "run", str(own))).missing == {}


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a run directory.* got a folder without them"):
        report_command([str(tmp_path)])
    with pytest.raises(InputError, match="got no folder"):
        report_command([str(tmp_path / "none")])


def test_changed_settings_come_first(finished: Path) -> None:
    record = read_record(finished / "run")
    assert record is not None and {"max_iters", "data_dir"} <= record.defaults.keys()
    page = text_of(finished / "run")
    rows = page[page.index('id="all-settings"') :]
    places = [rows.index(f"<td>{name}</td>") for name in ("data_dir", "max_iters", "nms_threshold")]
    assert places[2] > max(places[:2])


def lines_of(folder: Path, *lines: dict[str, Any] | str) -> MetricLines:
    text = "\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    return MetricLines.read(folder)


def test_curves_of_whatever_was_logged(tmp_path: Path) -> None:
    train_lines = [
        {"step": s, "kind": "train", "loss": 3.0 - s / 100, "cls": 1.0, "box": 2.0 - s / 100,
         "positives_per_object": 5.0, "uncovered": 0.0, "my_number": s, "lr": 0.1, "seconds": 2.0,
         "data_wait": 0.25}
        for s in (10, 20, 30)
    ]  # fmt: skip
    val = {"step": 20, "kind": "val", "AP": 0.3, "APs": -1.0, "MR": 40.0, "loss": 2.5, "cls": 1.0,
           "eval_seconds": 3.0}  # fmt: skip
    lines = lines_of(tmp_path, *train_lines, val, "", "{", '{"kind": "other", "step": 1}')
    assert len(lines.train) == 3 and len(lines.val) == 1 and lines.step == 30
    assert lines.loss_terms == ["cls", "box"]
    groups = {group.title: group for group in curves(lines, Mark(20, "best"))}
    titles = {chart.title: chart for group in groups.values() for chart in group.charts}
    assert [s.name for s in titles["loss"].series] == ["loss", "loss, validation"]
    assert [s.name for s in titles["terms of the loss"].series] == [
        "cls", "cls, validation", "box",
    ]  # fmt: skip
    assert titles["AP"].marks == (Mark(20, "best"),) and titles["MR"].y_max is None
    assert titles["my_number"].series[0].y == [10, 20, 30]
    assert groups["Assignment"].zero == ["objects without a candidate, an image"]
    assert titles["AP by size"].as_dict()["series"][0]["y"] == [None]  # undefined, not -1
    assert not {"seconds", "step"} & titles.keys()


@pytest.mark.parametrize("step", [0, 25])
def test_training_images_are_those_of_the_run(step: int) -> None:
    """As its loader makes them, in both stages of a recipe that closes with plain images."""
    exp = load_exp(name="yolox_nano", overrides={
        "input_size": (64, 64), "test_size": (64, 64), "multiscale": None, "last_epochs": 1,
    })  # fmt: skip
    dataset = ShapesDataset(12, 1, (64, 64), object_size=(16, 48))
    order = BatchOrder(dataset.sizes, 4, seed=exp.seed)
    stages = build_stages(exp, 30, order.steps_per_epoch)
    assert [stage.start for stage in stages] == [0, 27]
    schedule = SampleSchedule.of(stages)
    loader = build_loader(dataset, schedule, order, seed=exp.seed, start_step=step)
    with closing(iter(loader)) as batches:
        expected = next(batches).images.permute(0, 2, 3, 1).numpy()
    found = [s.image for s in step_samples(dataset, schedule, order, step, 3)]
    assert len(found) == 3 and np.array_equal(np.stack(found), expected[:3])
    groups = augmented_images(exp, dataset, 4, 30, order.steps_per_epoch)
    assert [len(group.figures) for group in groups] == [4, 4]


def test_nothing_logged_and_loss_alone(tmp_path: Path) -> None:
    assert MetricLines.read(tmp_path).step == 0 and curves(MetricLines([], []), None) == []
    assert lines_of(tmp_path, {"step": 1, "kind": "train", "loss": 1.0}).loss_terms == []


class Boxes(ShapesDataset):
    """Three images of 200 x 50 pixels with 0, 2 and 1 objects."""

    def ground_truth(self, index: int) -> GroundTruth:
        boxes = [[], [[0, 0, 40, 10], [0, 0, 8, 8]], [[100, 0, 200, 25]]][index]
        return replace(
            super().ground_truth(index),
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            labels=np.zeros(len(boxes), np.int64),
            areas=np.zeros(len(boxes)),
        )


def test_labels_are_counted_by_image_and_size() -> None:
    """Sides of 20, 8 and 50 pixels; the image's is 100."""
    charts = data_charts(Boxes(3, size=(50, 200), object_size=(8, 9)))
    assert [chart.summary for chart in charts] == [
        "min 0, median 1, max 2 objects",
        "min 8, median 20, max 50 px",
        "min 8, median 20, max 50 %",
    ]
    assert [bar.label for bar in charts[0].bars][-1] == "1.5 to 2.5 objects: 1"


def test_labels_of_images_without_an_object() -> None:
    class Empty(Boxes):
        def ground_truth(self, index: int) -> GroundTruth:
            return super().ground_truth(0)

    charts = data_charts(Empty(2, size=(50, 200), object_size=(8, 9)))
    assert [chart.summary for chart in charts] == ["0 objects in all 2"]


def test_durations() -> None:
    assert [duration(s) for s in (0.04, 12.3, 99, 125, 3723)] == [
        "0.0 s", "12 s", "99 s", "2:05 min", "1:02:03 h",
    ]  # fmt: skip
