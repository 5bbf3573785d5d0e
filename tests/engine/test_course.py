"""The course of a run: when it stops by itself, what it writes, what it says at the end."""

import csv
import gzip
import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

from otadet.cli.train import main as train
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.loggers import parse_loggers
from otadet.errors import InputError
from tests.engine.processes import quick, started


def test_a_run_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    """Nothing is learned, so the first evaluation stays the best; three steps an epoch."""
    words = ["lr=0", "patience=2", "max_epochs=30", "best_metric=AP50", "ema_decay=0",
             "optimizer=sgd", "weight_decay=0", "frozen_stages=0"]  # fmt: skip
    assert train(quick(tmp_path, *words)) == 0
    lines = [
        json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    val = [x for x in lines if x["kind"] == "val"]
    best = max(range(len(val)), key=lambda i: val[i]["AP50"])  # BatchNorm's statistics still move
    assert [x["step"] for x in val] == [3 * (i + 1) for i in range(best + 3)]
    assert all({"loss", "cls", "box", "quality"} <= x.keys() for x in val)
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "(patience=2): stopping early" in log
    assert f"at step {val[best]['step']}: best.pth" in log
    # What starts the same command again and again changes nothing any more.
    last = load_checkpoint(tmp_path / "last.pth").step
    assert train([*quick(tmp_path, *words), "--resume"]) == 0
    assert load_checkpoint(tmp_path / "last.pth").step == last == val[-1]["step"]


def test_a_best_metric_without_objects_is_said(tmp_path: Path) -> None:
    """Shapes of at most 48 px are none of COCO's large objects."""
    words = ["best_metric=APl", "max_iters=3", "val_loss=false"]
    assert train(quick(tmp_path, *words)) == 0
    assert "best_metric=APl is undefined on this validation set" in (
        tmp_path / "log.txt"
    ).read_text(encoding="utf-8")
    assert (tmp_path / "best.pth").exists()


FALLING = '''
from otadet.evaluation import Evaluation, Evaluator, Measure
from otadet.exp import Exp

RATES = iter((0.5, 0.3, 0.4, 0.3))

class Falling(Exp):
    """Shapes."""
    best_metric = "misses"

    def build_evaluator(self, dataset):
        gts = [dataset.ground_truth(i) for i in range(len(dataset))]
        rates = lambda *_: Evaluation({"misses": next(RATES)}, ())
        measure = Measure(rates, ("misses",), lower_is_better={"misses"})
        return Evaluator(gts, dataset.class_names, [measure])
'''


def test_a_miss_rate_is_better_where_it_is_lower(tmp_path: Path) -> None:
    """An experiment's own measure, whose value is known: the second of four is the best, and two
    that are no better end the run. Nothing else is measured, not even AP."""
    exp, output = tmp_path / "falling.py", tmp_path / "run"
    exp.write_text(FALLING, encoding="utf-8")
    words = quick(output, "patience=2", "max_epochs=30", "val_loss=false")
    assert train(["-f", str(exp), *words[2:]]) == 0
    lines = [
        json.loads(x) for x in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    val = [(x["step"], x["misses"]) for x in lines if x["kind"] == "val"]
    assert val == [(3, 0.5), (6, 0.3), (9, 0.4), (12, 0.3)]
    best = load_checkpoint(output / "best.pth")
    assert (best.step, best.metrics) == (6, {"misses": 0.3})
    assert json.loads((output / "metrics.json").read_text(encoding="utf-8")) == {"misses": 0.3}
    log = (output / "log.txt").read_text(encoding="utf-8")
    assert "step 12/90: misses 0.300" in log and "0.300 at step 6: best.pth" in log


OWN = """
import os, signal
import torch
from otadet.evaluation import Evaluation, Evaluator
from otadet.exp import Exp, load_class

class Own(load_class(name="quickstart")):
    best_metric = "detections"
    fails: str = "never"

    def build_evaluator(self, dataset):
        gts = [dataset.ground_truth(i) for i in range(len(dataset))]
        return Evaluator(gts, dataset.class_names, [self.count])

    def build_optimizer(self, model):
        groups = ([], [])
        for name, parameter in model.named_parameters():
            groups[name.startswith("backbone.")].append(parameter)
        rest, backbone = ({"params": group} for group in groups)
        return torch.optim.SGD([rest, {**backbone, "lr": self.lr / 8}], lr=self.lr, momentum=0.9)

    def count(self, gts, class_names, found):
        if self.fails != "never" and len(found.image_ids):
            with open(self.fails, "a") as calls:
                calls.write("x")
            if os.path.getsize(self.fails) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        return Evaluation({"detections": float(len(found.scores))}, ())
"""


def own(folder: Path, output: str, *words: str) -> list[str]:
    """Words of a run with an evaluator of its own that is a plain function."""
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    return ["-f", str(folder / "own.py"), *quick(folder / output, *words)[2:]]


def test_an_evaluator_of_ones_own(tmp_path: Path) -> None:
    """Its metric decides which weights are the best, is drawn, and is reported; there is no AP."""
    assert train(own(tmp_path, "run", "max_iters=6")) == 0
    lines = [
        json.loads(x)
        for x in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    val = [x for x in lines if x["kind"] == "val"]
    assert [x["step"] for x in val] == [3, 6] and all("AP" not in x for x in val)
    best = load_checkpoint(tmp_path / "run/best.pth")
    assert best.metrics == {"detections": max(x["detections"] for x in val)}
    assert "best detections" in (tmp_path / "run/log.txt").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"best_metric: expected one of detections, .*'AP'"):
        train(own(tmp_path, "other", "best_metric=AP"))
    assert not (tmp_path / "other").exists()


def test_an_evaluation_that_dies_costs_no_step(tmp_path: Path) -> None:
    """Killed in the second of four evaluations, the run goes on with that evaluation and ends as
    one that was never killed; each of its two parameter groups has kept its own rate."""
    words = ["max_iters=12", f"fails={tmp_path / 'calls'}"]
    with started(own(tmp_path, "killed", *words), tmp_path / "log") as run:
        assert run.end() == -signal.SIGKILL
    last = load_checkpoint(tmp_path / "killed/last.pth")
    assert last.step == 6 and last.training["evaluation_due"]
    assert train(own(tmp_path, "killed", *words, "--resume")) == 0
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "xxxxx"
    assert train(own(tmp_path, "whole", words[0], f"fails={tmp_path / 'killed/log.txt'}")) == 0
    ends = [load_checkpoint(tmp_path / name / "last.pth") for name in ("killed", "whole")]
    assert ends[0].metrics == ends[1].metrics
    assert all(torch.equal(ends[0].weights[k], v) for k, v in ends[1].weights.items())
    assert ends[0].training["best_step"] == ends[1].training["best_step"]
    files = [tmp_path / name / "metrics.jsonl" for name in ("killed", "whole")]
    lines = [file.read_text(encoding="utf-8").splitlines() for file in files]
    vals = [[x for x in map(json.loads, each) if x["kind"] == "val"] for each in lines]
    assert all(x.pop("eval_seconds") > 0 for each in vals for x in each)
    assert vals[0] == vals[1] and len(vals[0]) == 4
    rates = [[g["lr"] for g in end.training["optimizer"]["param_groups"]] for end in ends]
    assert rates[0] == rates[1] and 0 < rates[0][0] == 8 * rates[0][1]


def test_a_last_evaluation_that_dies_is_done_on_resume(tmp_path: Path) -> None:
    words = ["max_iters=6", "eval_interval=1", f"fails={tmp_path / 'calls'}"]
    with started(own(tmp_path, "run", *words), tmp_path / "log") as run:
        assert run.end() == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "run/last.pth").step == 6
    assert load_checkpoint(tmp_path / "run/before_last.pth").step == 3
    assert train(own(tmp_path, "run", *words, "--resume")) == 0
    assert load_checkpoint(tmp_path / "run/last.pth").metrics.keys() == {"detections"}
    assert load_checkpoint(tmp_path / "run/before_last.pth").step == 3


def test_a_profile_all_writers_and_a_summary(tmp_path: Path) -> None:
    words = ["max_iters=20", "eval_interval=1000", "val_loss=false", "--profile", "--log", "csv"]
    assert train(quick(tmp_path, *words, batch=2)) == 0
    with gzip.open(tmp_path / "profile/trace.json.gz") as file:
        events = json.load(file)["traceEvents"]
    steps = {e["name"] for e in events if str(e.get("name", "")).startswith("ProfilerStep")}
    assert len(steps) == 10
    assert "aten::convolution" in (tmp_path / "profile/table.txt").read_text(encoding="utf-8")
    with (tmp_path / "metrics.csv").open(newline="") as rows:
        table = {(r["step"], r["kind"], r["name"]): float(r["value"]) for r in csv.DictReader(rows)}
    for line in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        step, kind = str(row.pop("step")), row.pop("kind")
        assert row and all(table[step, kind, k] == v for k, v in row.items())
        assert kind == "train" or "loss" not in row
    assert not (tmp_path / "tensorboard").exists()
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    for word in ("profile of 10 steps", "images/s", "waiting for data", "peak memory", "best AP",
                 "report.html", "otadet export"):  # fmt: skip
        assert word in log, word


def test_writers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_loggers("csv, tensorboard") == ("jsonl", "csv", "tensorboard")
    assert parse_loggers("") == ("jsonl",)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert parse_loggers("tensorboard") == ("jsonl", "tensorboard")  # in the default list
    for name in ("wandb", "mlflow"):
        with pytest.raises(InputError, match=f"--log {name}: the package {name} is not installed"):
            parse_loggers(name)


def test_a_run_in_bf16_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Of 64 px P6 and P7 are one cell, of which the strided convolutions take a gradient."""
    words = ["max_iters=6", "eval_interval=1000", "val_loss=false", "extra_levels=true"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(quick(whole, *words, "save_interval=3", precision="bf16")) == 0
    expected = load_checkpoint(whole / "last.pth")
    assert expected.training["precision"] == "bf16" and expected.step == 6
    parts.mkdir()
    shutil.copy(whole / "before_last.pth", parts / "last.pth")
    assert load_checkpoint(parts / "last.pth").step == 3
    assert train(["-n", "quickstart", "-d", "cpu", "-o", str(parts), "--resume"]) == 0
    weights = load_checkpoint(parts / "last.pth").weights
    assert all(torch.equal(weights[k], v) for k, v in expected.weights.items())
    assert all(v.isfinite().all() for v in expected.weights.values())
