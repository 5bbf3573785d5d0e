"""SIGINT and SIGTERM to the whole process group: workers leave them to the main process."""

import os
import re
import signal
from pathlib import Path

import pytest

from otadet.engine.checkpoint import load_checkpoint
from tests.engine.processes import Running, pair, quick, started

ROOT = Path(__file__).parents[2]
FIRST_EPOCH = ["shapes_train=40000", "max_iters=100000"]


def assert_stopped(run: Running, folder: Path) -> None:
    found = re.search(r"stopped by a signal at step (\d+)", run.last_line())
    assert found, run.said
    assert load_checkpoint(folder / "last.pth").step == int(found[1]) > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 2])
def test_in_the_first_epoch(tmp_path: Path, number: int, workers: int) -> None:
    out = tmp_path / "run"
    with started(quick(out, *FIRST_EPOCH, f"workers={workers}"), tmp_path / "log") as run:
        run.wait_for(lambda: took_steps(out))
        assert not (out / "last.pth").exists()
        run.kill_group(number)
        assert run.end() == 128 + number, run.said
    assert_stopped(run, out)


def took_steps(folder: Path) -> bool:
    return (folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").stat().st_size > 0


def test_while_workers_start(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with started(quick(out, *FIRST_EPOCH, "workers=2"), tmp_path / "log") as run:
        run.wait_for(lambda: len(run.children()) > 0)
        run.kill_group(signal.SIGTERM)
        assert run.end() == 128 + signal.SIGTERM, run.said
    assert_stopped(run, out)


@pytest.mark.parametrize("workers", [0, 1])
def test_two_processes(tmp_path: Path, workers: int) -> None:
    out = tmp_path / "run"
    words = quick(out, *FIRST_EPOCH, f"workers={workers}")
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path / "said") as both:
        both[0].wait_for(lambda: took_steps(out))
        for run in both:
            run.kill_group(signal.SIGTERM)
        codes = [run.end() for run in both]
        assert codes == [128 + signal.SIGTERM] * 2, both[0].said + both[1].said
    assert_stopped(both[0], out)


def test_while_the_launched_processes_import(tmp_path: Path) -> None:
    """Ctrl-C in the seconds in which they import torch: no traceback, and nothing goes on.

    Nor is it taken for a failure after which the processes are started again.
    """
    words = quick(tmp_path / "run", *FIRST_EPOCH, "--max-restarts", "1")
    words[words.index("cpu")] = "cpu:2"
    with started(words, tmp_path / "log", {"PYTHONPATH": str(ROOT)}) as run:
        run.wait_for(lambda: len(launched(run)) == 2)
        processes = launched(run)
        run.kill_group(signal.SIGINT)
        assert run.end() == 128 + signal.SIGINT, run.said
    assert "stopped by Ctrl-C" in run.last_line()
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
    assert not (tmp_path / "run/last.pth").exists()


def launched(run: Running) -> list[int]:
    """The processes of the ranks that have begun."""
    if not run.process.is_alive():
        return []
    return [p for p in run.children() if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_the_report_is_interrupted(tmp_path: Path) -> None:
    """Training is over and saved; SIGTERM ends what is left in one line."""
    out = tmp_path / "run"
    with started(quick(out, "max_iters=1", "workers=2"), tmp_path / "log") as run:
        run.wait_for((out / "pictures").exists)
        os.kill(run.pid, signal.SIGTERM)
        code = run.end()
    if code:  # else it was quicker than the signal
        assert code == 128 + signal.SIGTERM and "stopped by SIGTERM" in run.last_line()
    assert load_checkpoint(out / "last.pth").step == 1
