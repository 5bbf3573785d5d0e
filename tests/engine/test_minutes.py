"""Runs whose length is a time: planned in steps once they are timed, and exact after a resume."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from otadet.cli import train as command
from otadet.cli.train import main as train
from otadet.engine import time_budget, trainer
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.plan import Plan
from otadet.engine.run_record import read_record
from otadet.engine.time_budget import TimeBudget, process_start
from otadet.errors import InputError
from tests.engine.conftest import heard
from tests.engine.processes import quick

WORDS = ["schedule=cosine", "flat=0.5", "val_loss=false", "save_interval=3"]


Timing = Callable[[int], float]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Timing], None]:
    """Let steps take the seconds that a function of their number says, and all else no time."""

    def by(seconds: Timing) -> None:
        class Timed(TimeBudget):
            now = 0.0

            def __init__(self, *args: float) -> None:
                super().__init__(*args)
                self.clock, self.cpu = lambda: self.now, lambda: 0.0

            def step(self) -> None:
                self.now += seconds(self._steps)
                super().step()

        monkeypatch.setattr(trainer, "TimeBudget", Timed)
        monkeypatch.setattr(command, "process_start", lambda: 0.0)
        monkeypatch.setattr(time_budget, "MOST_EVALUATIONS", 2)

    return by


def budget(**values: object) -> TimeBudget:
    """Two minutes, of which 20 seconds are over after ten steps of 0.5 s, half of it CPU time."""
    now = iter([10.0, *(10.0 + 0.5 * (i + 1) for i in range(12)), *[20.0] * 99])
    cpu = iter([5.0, *(5.0 + 0.25 * (i + 1) for i in range(12))])
    made = TimeBudget(2.0, 0.0, 0.5, 4.0, clock=lambda: next(now), cpu=lambda: next(cpu), **values)  # type: ignore[arg-type]
    made.begin()
    for _ in range(12):
        made.step()
    return made


def test_a_plan_by_hand() -> None:
    one = budget()
    assert (one.start, one.overhead) == (5.0, 10.0)
    assert (one.timed, one.pace, one.spent) == (10, 0.5, 20.0)
    assert one.evaluation == 1.0  # half of a step's time for each of its images: 4 steps of images
    assert one.ending == pytest.approx(1.0 + 2.3 + 2.5)
    assert one.knows_pace() and not one.should_fix() and one.can_rehearse()
    plan = one.plan(12, fixed=False)  # 100 s, 5.8 s at the end and 10 evaluations of 1 s
    assert plan.steps == plan.end == 12 + 168 and not plan.fixed
    assert plan.evaluations == tuple(12 + 168 * i // 11 for i in range(1, 4))
    one.evaluating, one.reporting = 6.0, 3.0
    plan = one.plan(12, fixed=True)  # a tenth of the time holds 2, half of them are over
    assert plan == Plan(177, 177, (94,))  # 100 s less 11.5 s less 6 s
    one.evaluating = 13.0
    assert not one.can_evaluate() and one.plan(12, fixed=True) == Plan(175, 175, ())


def test_a_resumed_run_has_less_time() -> None:
    assert budget(before=60.0).should_fix()
    assert budget(before=60.0).plan(12, fixed=True).end == 12 + int((120 - 80 - 5.8 - 5) / 0.5)
    assert budget(before=200.0).plan(12, fixed=True).end == 13  # time is over


def test_the_end_moves_where_the_speed_has_changed() -> None:
    one = budget(before=94.0)  # 114 of 120 s are over, 5.8 s are needed at the end
    assert one.moved_end(12, Plan(99, 99)) == Plan(99, 99)
    one = budget(before=100.0)
    assert one.moved_end(12, Plan(99, 99)) == Plan(99, 12)
    one = budget(before=80.0)  # 14.2 s early: 28 steps more at the last rate
    assert one.moved_end(99, Plan(99, 99)) == Plan(99, 127)
    assert one.moved_end(98, Plan(99, 99)) == Plan(99, 99)


def test_plans_are_told() -> None:
    with heard() as lines:
        budget().tell(12, Plan(70, 70), Plan(70, 70, fixed=False), epoch_steps=20)
        budget().tell(50, Plan(70, 60), Plan(70, 70), epoch_steps=20)
    assert "2 minutes: 70 steps = 3.5 epochs; 0.50 s a step, 1.0 s an evaluation" in lines[0]
    assert lines[0].endswith("at step 12; fixed\n") and "ends at step 60 instead of 70" in lines[1]


def test_this_process_has_begun() -> None:
    assert time.time() - 24 * 3600 < process_start() < time.time()


def plan_of(run: Path) -> Plan:
    return Plan.load(load_checkpoint(run / "last.pth").training["plan"])


def rows(run: Path, kind: str) -> dict[int, dict[str, float]]:
    """Lines of ``metrics.jsonl`` by step."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["step"]: line for line in map(json.loads, lines) if line["kind"] == kind}


def test_a_run_by_time_and_its_resume(tmp_path: Path, timed: Callable[[Timing], None]) -> None:
    """30 seconds hold 15 steps: planned after six, and for good after half of the time."""
    timed(lambda _: 2.0)
    assert train([*quick(tmp_path, *WORDS), "--minutes", "0.5"]) == 0
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    plans = re.findall(r"0\.5 minutes: (\d+) steps .* at step (\d+)(; fixed)?", log)
    # An evaluation is expected to take 1.25 s before there is one, and takes none.
    assert plans == [("13", "6", ""), ("15", "8", "; fixed")]
    assert plan_of(tmp_path) == Plan(15, 15, (11,))
    assert list(rows(tmp_path, "val")) == [8, 11, 15]
    rates = {step: row["lr"] for step, row in rows(tmp_path, "train").items()}
    assert 0.001 > rates[10] > rates[15] > 0
    record = read_record(tmp_path)
    assert record is not None and record.steps == 15
    assert "finished" in (tmp_path / "report.html").read_text(encoding="utf-8")
    # From a checkpoint after the plan was fixed: the same steps, bit for bit.
    last = load_checkpoint(tmp_path / "last.pth")
    (tmp_path / "before_last.pth").replace(tmp_path / "last.pth")
    assert load_checkpoint(tmp_path / "last.pth").step == 12
    assert train(["-d", "cpu", "--fp32", "-o", str(tmp_path), "--resume"]) == 0
    again = load_checkpoint(tmp_path / "last.pth")
    assert again.step == 15 and plan_of(tmp_path) == Plan(15, 15, (11,))
    assert all(torch.equal(again.weights[k], v) for k, v in last.weights.items())


def test_a_slow_machine_ends_in_time(tmp_path: Path, timed: Callable[[Timing], None]) -> None:
    timed(lambda step: 2.0 if step < 10 else 4.0)
    words = [*quick(tmp_path, *WORDS, "shapes_train=400"), "--minutes", "0.5"]
    assert train(words) == 0
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "0.5 minutes are not enough for an epoch: 15 of its 100 steps are taken" in log
    assert "the machine's speed has changed: the run ends at step 13 instead of 15" in log
    assert plan_of(tmp_path) == Plan(15, 13, (11,))
    assert max(rows(tmp_path, "val")) == 13


@pytest.mark.slow
def test_a_fast_one_goes_on_at_the_last_rate(
    tmp_path: Path, timed: Callable[[Timing], None]
) -> None:
    timed(lambda step: 2.0 if step < 8 else 1.0)
    assert train([*quick(tmp_path, *WORDS, "final_lr=0.1"), "--minutes", "0.5"]) == 0
    found = plan_of(tmp_path)
    assert found.steps == 15 and 20 < found.end == load_checkpoint(tmp_path / "last.pth").step
    rates = {step: row["lr"] for step, row in rows(tmp_path, "train").items()}
    assert rates[found.end] == pytest.approx(0.1 * 0.001)


def test_a_length_is_given_once(tmp_path: Path) -> None:
    for word in ("max_iters=9", "max_epochs=4", "eval_interval=2"):
        with pytest.raises(InputError, match=f"setting {word[:5]}.* has no effect with .*minutes="):
            train([*quick(tmp_path, word), "--minutes", "1"])
    with pytest.raises(InputError, match=r"minutes: expected 0\.01 to 1e\+06"):
        train([*quick(tmp_path), "--minutes", "0"])


@pytest.mark.slow
def test_two_processes_keep_one_time(tmp_path: Path) -> None:
    """The main process's clock decides for both."""
    words = quick(tmp_path / "run", "workers=1", "shapes_train=64", "--minutes", "0.6")
    words[words.index("cpu")] = "cpu:2"
    started = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "tools/train.py", *words], check=True, env=environment)
    assert time.monotonic() - started > 20  # how much longer depends on what else runs here
    last = load_checkpoint(tmp_path / "run/last.pth")
    plan = Plan.load(last.training["plan"])
    assert plan.fixed and last.step == plan.end and last.metrics
