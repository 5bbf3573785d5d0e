"""Ends that a run did not choose: memory, disk, images, loader processes, hangs, mistakes."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from otadet.cli.train import main as train
from otadet.engine.checkpoint import _write, load_checkpoint
from otadet.engine.run_errors import RunContext, to_run_error
from otadet.errors import InputError, RunError
from tests.engine.conftest import WHITE, spoiled
from tests.engine.processes import Running, pair, quick, started

ROOT = Path(__file__).parents[2]
LONG = ["max_iters=100000", "eval_interval=100000", "save_interval=1"]


def lines(running: Running) -> list[str]:
    """What was said besides the progress bar."""
    return [x for x in running.said.splitlines() if "ERROR" in x or "Traceback" in x]


def assert_whole(folder: Path) -> None:
    """The checkpoint can be read and nothing half-written lies beside it."""
    assert load_checkpoint(folder / "last.pth").step > 0
    assert not [p.name for p in folder.iterdir() if ".part" in p.name]


def test_too_little_main_memory(tmp_path: Path) -> None:
    words = quick(tmp_path / "run", "input_size=2048,2048", "shapes_size=2048,2048", "max_iters=2")
    with started(words, tmp_path / "log", more_memory=2**30) as run:
        assert run.end() == 1, run.said
    (line,) = lines(run)
    expected = (
        "step 1, forward: out of memory", "4 images per device of 2048 x 2048 px with", "objects",
        "GiB allowed", "-b", "accumulate=2", "input_size", "multiscale",
    )  # fmt: skip
    assert [word for word in expected if word not in line] == [], line


def test_too_little_memory_on_a_device(tmp_path: Path, spoiled_data: Path) -> None:
    """The type that CUDA raises; what it says does not matter."""
    with pytest.raises(RunError, match=r"forward: out of memory; 4 images per device of 64"):
        train(spoiled(tmp_path, spoiled_data, "memory", "max_iters=3"))


@pytest.mark.parametrize(
    "text",
    ["CUDA error: out of memory\nCUDA kernel errors", "CUBLAS_STATUS_ALLOC_FAILED when calling x"],
)
def test_memory_that_a_library_or_the_driver_lacks(text: str) -> None:
    at = RunContext("rank 0, step 3, backward", torch.device("cpu"), None)
    known = to_run_error(RuntimeError(text), at)
    assert isinstance(known, RunError) and "step 3, backward: out of memory; no batch" in str(known)


def test_a_mistake_keeps_its_traceback(tmp_path: Path, spoiled_data: Path) -> None:
    words = spoiled(tmp_path / "run", spoiled_data, "bug", "max_iters=3")
    with started(words, tmp_path / "log") as run:
        assert run.end() == 1
    log = (tmp_path / "run/log.txt").read_text(encoding="utf-8")
    for text in (log, run.said):
        assert "Traceback" in text and "KeyError: 'a mistake in the network'" in text
    assert run.said.count("Traceback") == 1


def test_a_loader_process_is_killed(tmp_path: Path) -> None:
    with started(quick(tmp_path / "run", *LONG, "workers=2"), tmp_path / "log") as run:
        run.wait_for((tmp_path / "run/last.pth").exists)
        os.kill(run.children()[-1], signal.SIGKILL)
        assert run.end() == 1, run.said
    (line,) = lines(run)
    # Torch notices it while it waits for the batch, or in the middle of the step.
    assert re.search("died with exit code (-9|255)|is killed by signal: Killed", line), line
    assert "fewer workers" in line and run.last_line() == line
    assert_whole(tmp_path / "run")


def test_a_signal_in_the_middle_of_a_save(tmp_path: Path) -> None:
    """What torch's handler raises of a dead worker is not lost in torch's writer."""
    path = tmp_path / "pipe"
    os.mkfifo(path)  # nobody reads: the write stands still

    def read() -> None:
        with path.open("rb") as file:
            time.sleep(0.3)
            signal.pthread_kill(main, signal.SIGUSR1)
            time.sleep(0.3)
            file.read()

    def killed(number: int, frame: object) -> None:
        raise RuntimeError("DataLoader worker (pid 1) is killed")

    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGUSR1, killed)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        with pytest.raises(RuntimeError, match="DataLoader worker"):
            _write(path, {"weights": torch.zeros(1_000_000)})
    finally:
        reader.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_disk_that_is_full(tmp_path: Path, workers: int) -> None:
    """No file may grow beyond a megabyte, from some moment on."""
    with started(quick(tmp_path / "run", *LONG, f"workers={workers}"), tmp_path / "log") as run:
        run.wait_for((tmp_path / "run/last.pth").exists)
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (2**20, 2**20))
        assert run.end() == 1, run.said
    (line,) = lines(run)
    assert "last.pth cannot be written: File too large" in line and "MB are free" in line
    assert run.last_line() == line
    assert_whole(tmp_path / "run")


def test_a_disk_that_takes_not_a_byte(tmp_path: Path) -> None:
    """Neither the checkpoint nor the log can be written; the terminal has the line, and no more."""
    words = [sys.executable, "tools/train.py", *quick(tmp_path / "run", *LONG, "workers=2")]
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run/last.pth").exists():
        assert process.poll() is None
        time.sleep(0.02)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, 1))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "Traceback" not in said, said
    assert "File too large" in said.splitlines()[-1], said


def test_a_picture_becomes_unreadable(tmp_path: Path, spoiled_data: Path) -> None:
    shutil.copytree(spoiled_data, tmp_path / "data")
    with started(spoiled(tmp_path / "run", tmp_path / "data", "nothing", *LONG),
                 tmp_path / "log") as run:  # fmt: skip
        run.wait_for((tmp_path / "run/last.pth").exists)
        image = sorted((tmp_path / "data/images").iterdir())[WHITE - 1]
        os.truncate(image, 60)
        assert run.end() == 2, run.said
    (line,) = lines(run)
    assert image.name in line and f"image id {WHITE}" in line
    assert_whole(tmp_path / "run")


def test_a_data_set_that_never_answers(tmp_path: Path, spoiled_data: Path) -> None:
    words = spoiled(tmp_path / "run", spoiled_data, "sleep", *LONG, "--hang-timeout", "4")
    with started(words, tmp_path / "log") as run:
        assert run.end() == 1, run.said
    log = (tmp_path / "run/log.txt").read_text(encoding="utf-8")
    for text in (log, run.said):
        assert "step 5, waiting for data: no progress for 4 s" in text
        assert 'spoiled.py", line' in text and "in load" in text
    assert_whole(tmp_path / "run")


def test_one_of_two_processes_stands_still(tmp_path: Path) -> None:
    words = quick(tmp_path / "run", *LONG, "--hang-timeout", "4")
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path) as (first, second):
        first.wait_for((tmp_path / "run/last.pth").exists)
        second.kill(signal.SIGSTOP)
        assert first.end() == 1, first.said
    assert "rank 0, step" in first.said and "no progress for 4 s" in first.said
    assert_whole(tmp_path / "run")


def test_one_of_two_processes_is_gone(tmp_path: Path) -> None:
    words = quick(tmp_path / "run", *LONG)
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path) as (first, second):
        first.wait_for((tmp_path / "run/last.pth").exists)
        second.kill()
        assert first.end() == 1, first.said
    (line,) = lines(first)
    assert "rank 0, step" in line and "the other processes no longer answer" in line
    assert_whole(tmp_path / "run")


def test_options_out_of_range(tmp_path: Path) -> None:
    for words, message in (
        (["--hang-timeout", "-1"], "--hang-timeout -1: expected seconds"),
        (["--max-restarts", "-1"], "--max-restarts -1: expected at least 0"),
        (["--log", "csv,paper"], "--log: expected some of jsonl, csv, .*'paper'"),
        (["best_metric=mAP"], "best_metric: expected one of AP, AP50.*'mAP'"),
    ):
        with pytest.raises(InputError, match=message):
            train([*quick(tmp_path / "run"), *words])
    assert not (tmp_path / "run").exists()
