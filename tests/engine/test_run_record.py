"""What a run writes about itself at its start: ``run.json``."""

from pathlib import Path

import pytest

import otadet
from otadet.cli.eval import main as evaluate
from otadet.cli.train import main as train
from otadet.engine.run_directory import is_running, lock_run_directory
from otadet.engine.run_record import FILE, read_record
from otadet.errors import InputError
from otadet.evaluation import load_evaluation
from tests.engine.processes import quick


def test_a_run_says_what_it_is_made_of(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(quick(run, "max_iters=2", "seed=3")) == 0
    record = read_record(run)
    assert record is not None
    assert (record.experiment, record.steps, record.precision) == ("quickstart", 2, "fp32")
    assert record.settings["seed"] == 3 and record.defaults["seed"] == 0
    assert "workers" in record.settings and "nms_threshold" not in record.defaults
    assert record.versions["otadet"] == otadet.__version__ and "torch" in record.versions
    assert record.class_names == ("circle", "square")
    assert [start.step for start in record.starts] == [0]
    assert "thread" in record.starts[0].device and "M parameters" in record.network
    (run / "before_last.pth").unlink(missing_ok=True)
    (run / "pictures").rename(tmp_path / "pictures")  # else there is nothing to go on with
    assert train([*quick(run, "max_iters=2", "seed=3"), "--resume"]) == 0
    again = read_record(run)
    assert again is not None and [start.step for start in again.starts] == [0, 2]
    saved = load_evaluation(run / "best_detections.npz")
    assert saved.class_names == record.class_names and len(saved.gts) == len(
        saved.detections.image_ids
    )


def test_a_class_whose_settings_alone_are_no_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        """from otadet.exp.load import load_class

class Mine(load_class(name="quickstart")):
    optimizer = "adamw"
    nesterov = True
""",
        encoding="utf-8",
    )
    words = ["-f", str(file), *quick(tmp_path / "run", "max_iters=1", "optimizer=sgd")[2:]]
    assert train(words) == 0
    record = read_record(tmp_path / "run")
    assert record is not None and record.settings["optimizer"] == "sgd"
    assert record.defaults["optimizer"] == "adamw" and "nesterov" not in record.defaults
    best = tmp_path / "run" / "best.pth"
    assert evaluate(["-f", str(file), "-c", str(best), "-d", "cpu"]) == 0


def test_no_record_and_a_broken_one(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    for text in ("{", "[]", '{"starts": [{"x": 1}]}', '{"starts": []}'):
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"run\.json: expected the record of a run"):
            read_record(tmp_path)


def test_whether_a_run_is_going(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    lock_run_directory(tmp_path).close()
    assert not is_running(tmp_path)
