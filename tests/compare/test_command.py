"""``otadet compare`` as a user runs it: killed, resumed, with a method that fails."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otadet.cli.compare import main as compare
from otadet.cli.train import main as train
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.initial_weights import read_digests
from otadet.errors import InputError

TINY = str(Path(__file__).with_name("tiny.py"))
STEPS = 20


@dataclass
class Command:
    """A comparison as a process."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def children(self) -> list[int]:
        """Processes of its runs: its threads start them."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(word) for task in tasks for word in task.read_text(encoding="utf-8").split()]

    def wait_for(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 240
        while not happened():
            assert time.monotonic() < deadline and self.process.poll() is None, self.said
            time.sleep(0.02)

    def end(self) -> int:
        return self.process.wait(timeout=400)


@contextmanager
def started(log: Path, steps: Path, *words: str) -> Iterator[Command]:
    environment = {**os.environ, "TINY_STEPS": str(steps), "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "otadet", "compare", *words],
            stdout=output, stderr=output, env=environment,
        )  # fmt: skip
        try:
            yield Command(process, log)
        finally:
            process.kill()
            process.wait()


@dataclass
class Killed:
    """A comparison that was killed, twice, and brought to its end."""

    folder: Path
    steps: Path
    logs: list[str]
    code: int

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (self.folder / "comparison.json").read_text(encoding="utf-8")
        )
        return found

    def taken(self, method: str) -> list[int]:
        """Steps that the processes of a method took, in their order."""
        text = (self.steps / f"{method}_0.txt").read_text(encoding="utf-8")
        return [int(line) for line in text.split()]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """The comparison is killed during the first run and started again, then the process of the
    second run is killed; the third method fails whenever it is tried."""
    place = tmp_path_factory.mktemp("compare")
    folder, steps = place / "out", place / "steps"
    steps.mkdir()
    words = ["-f", TINY, "-d", "cpu", "--fp32", "--methods", "ota", "atss anchor_scale=3",
             "hungarian", "--seeds", "1", "--budget", str(STEPS), "-o", str(folder),
             "--resamples", "50"]  # fmt: skip
    with started(place / "1.txt", steps, *words) as first:
        first.wait_for((steps / "ota_0.txt").exists)
        (orphan,) = first.children()
        os.kill(orphan, signal.SIGSTOP)
        first.process.kill()
    with started(place / "2.txt", steps, *words) as second:
        second.wait_for(lambda: "waiting" in second.said)
        os.kill(orphan, signal.SIGCONT)
        last = folder / "runs/atss_anchor_scale=3/seed_0/last.pth"
        second.wait_for(last.exists)
        (child,) = second.children()
        os.kill(child, signal.SIGKILL)
        code = second.end()
        logs = [(place / f"{n}.txt").read_text(encoding="utf-8") for n in (1, 2)]
    return Killed(folder, steps, logs, code)


@pytest.mark.slow
def test_killed_twice_nothing_is_done_twice(killed: Killed) -> None:
    """The first run's process went on alone and was waited for; the second's went on from its last
    checkpoint, of the step before."""
    assert "ota, seed 0: a process started earlier works on it; waiting" in killed.logs[1]
    assert killed.taken("ota") == list(range(STEPS))
    assert "train was killed by SIGKILL; trying once more" in killed.logs[1]
    taken = killed.taken("atss")
    assert sorted(set(taken)) == list(range(STEPS)) and len(taken) <= STEPS + 1
    for name in ("ota", "atss_anchor_scale=3"):
        run = killed.folder / "runs" / name / "seed_0"
        assert load_checkpoint(run / "last.pth").step == STEPS
        output = (run / "output.txt").read_text(encoding="utf-8")
        assert output.count("eval/metrics.json") == 1


@pytest.mark.slow
def test_a_method_that_fails_is_named_and_stops_nothing(killed: Killed) -> None:
    assert killed.code == 1
    assert "run 3 of 3 (hungarian, seed 0): train ended with exit code 1" in killed.logs[1]
    failed = killed.result["failed"]
    assert list(failed) == ["hungarian, seed 0"]
    assert "RuntimeError: this method always fails" in failed["hungarian, seed 0"]
    assert "failed: hungarian, seed 0" in (killed.folder / "comparison.md").read_text("utf-8")


@pytest.mark.slow
def test_methods_begin_alike_and_what_is_not_equal_is_said(killed: Killed) -> None:
    runs = [killed.folder / "runs" / n / "seed_0" for n in ("ota", "atss_anchor_scale=3")]
    assert read_digests(runs[0]) == read_digests(runs[1]) != {}
    facts = {each["what"]: each for each in killed.result["equalities"]}
    assert {what for what, each in facts.items() if each["equal"]} == {
        "budget", "network", "initial weights", "images and their order", "machine",
    }  # fmt: skip
    assert facts["settings"]["text"].startswith("differ in anchor_scale")


@pytest.mark.slow
def test_the_result_is_plain_and_claims_nothing_of_one_seed(killed: Killed) -> None:
    result = killed.result
    assert {m["label"] for m in result["methods"]} == {"ota", "atss anchor_scale=3"}
    assert (result["images"], result["resamples"]) == (6, 50)
    for method in result["methods"]:
        assert len(method["metrics"]["AP"]["values"]) == 1 and method["steps"] == STEPS
        assert method["cost"]["seconds a step"]["mean"] > 0
        assert method["curves"]["loss"]["steps"] == [10, 20]
    assert all(pair["ahead"] is None for pair in result["pairs"])
    assert len([note for note in result["notes"] if "one seed" in note]) == 1
    page = (killed.folder / "comparison.html").read_text(encoding="utf-8")
    assert "one seed each, which shows nothing of others" in page


@pytest.mark.slow
def test_another_start_only_compares(killed: Killed) -> None:
    """``-o`` alone; the failed method is tried again, the others are not touched."""
    before = {p: p.stat().st_mtime_ns for p in killed.folder.glob("runs/[ao]*/*/*.pth")}
    compared = killed.result
    assert compare(["-o", str(killed.folder), "-d", "cpu", "--resamples", "50"]) == 0
    assert before == {p: p.stat().st_mtime_ns for p in before}
    again = killed.result
    assert killed.taken("ota") == list(range(STEPS))
    assert [m["label"] for m in again["methods"]].count("hungarian") == 1  # it works by itself
    pair = next(p for p in again["pairs"] if "hungarian" not in (p["one"], p["other"]))
    assert pair == {**compared["pairs"][0], "p_holm": pair["p_holm"]}


@pytest.mark.slow
def test_existing_runs_are_compared_where_their_budgets_are_equal(
    killed: Killed, tmp_path: Path
) -> None:
    runs = [str(killed.folder / "runs" / n / "seed_0") for n in ("ota", "atss_anchor_scale=3")]
    words = ["-f", TINY, "-o", str(tmp_path / "out"), "-d", "cpu", "--resamples", "50"]
    assert compare(["--runs", *runs, *words]) == 0
    result = json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))
    labels = {m["label"] for m in result["methods"]}
    assert labels == {"ota anchor_scale=8.0", "atss anchor_scale=3.0"}
    of_ours = {m["metrics"]["AP"]["mean"] for m in killed.result["methods"]}
    assert {m["metrics"]["AP"]["mean"] for m in result["methods"]} <= of_ours

    short = tmp_path / "short"
    assert train(["-f", TINY, "-d", "cpu", "--fp32", "-o", str(short), "max_iters=2"]) == 0
    with pytest.raises(InputError, match=r"expected equal budgets, got .*ota/seed_0: 20 steps of 4 "
                       r"images; .*short: 2 steps of 4 images; --unequal"):  # fmt: skip
        compare(["--runs", runs[0], str(short), *words])
