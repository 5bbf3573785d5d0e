"""Runs that are killed, at any moment, and go on with ``--resume`` as if nothing had been."""

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.state import BEFORE_LAST
from tests.engine.processes import Running, pair, started

# Several sizes, mosaic (the experiment's own), worker processes: all that could depend on where a
# run is cut.
WORDS = ["workers=1", "multiscale=64,96", "multiscale_interval=1", "eval_interval=1000"]


def nano(output: Path, *words: str) -> list[str]:
    """The smallest network, whose checkpoint is soon written."""
    return [
        "-n", "yolox_nano", "-d", "cpu", "-b", "4", "-o", str(output), "data_dir=none",
        "shapes_train=400",
        "shapes_val=2", "shapes_size=64,64", "input_size=64,64", "test_size=64,64",
        "shapes_classes=circle,square", "shapes_object=16,48", *words,
    ]  # fmt: skip


def start(stack: ExitStack, folder: Path, words: list[str], processes: int) -> list[Running]:
    resume = ["--resume"] if any(folder.glob("*last.pth")) else []
    if processes == 1:
        return [stack.enter_context(started([*words, *resume], folder / "said.txt"))]
    words = ["cpu:2" if w == "cpu" else w for w in words]
    return list(stack.enter_context(pair([*words, *resume], folder / "said")))


def killed_at_random(folder: Path, words: list[str], kills: int, processes: int) -> None:
    """Kill the run ``kills`` times, after one to three further steps and at a random moment of the
    next one (now and then before the first), then let it come to its end."""
    folder.mkdir()
    rng = random.Random(kills)
    last = folder / "last.pth"
    for number in range(kills):
        with ExitStack() as stack:
            running = start(stack, folder, words, processes)
            for _ in range(0 if number % 5 == 4 else rng.randint(1, 3)):
                before = last.stat().st_mtime_ns if last.exists() else 0
                running[0].wait_for(
                    lambda before=before: last.exists() and last.stat().st_mtime_ns != before
                )
            time.sleep(rng.random() * 0.1)
            for process in running:
                process.kill()
        for path in (last, folder / BEFORE_LAST):
            if path.exists():
                load_checkpoint(path)
    with ExitStack() as stack:
        assert [r.end() for r in start(stack, folder, words, processes)] == [0] * processes


def assert_equal_runs(one: Path, other: Path) -> None:
    a, b = (load_checkpoint(folder / "last.pth") for folder in (one, other))
    assert a.step == b.step and a.metrics == b.metrics
    assert all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights)
    mine, theirs = a.training["model"], b.training["model"]
    assert all(torch.equal(mine[k], theirs[k]) for k in mine)
    moments = (c.training["optimizer"]["state"] for c in (a, b))
    for x, y in zip(*(s.values() for s in moments)):
        assert all(torch.equal(x[k], y[k]) for k in x)


def check(tmp_path: Path, kills: int, processes: int) -> None:
    steps = f"max_iters={4 * kills + 4}"
    whole = nano(tmp_path / "whole", *WORDS, steps)
    (tmp_path / "whole").mkdir()
    with ExitStack() as stack:
        running = start(stack, tmp_path / "whole", whole, processes)
        assert [r.end(600) for r in running] == [0] * processes, running[0].said
    words = nano(tmp_path / "cut", *WORDS, steps, "save_interval=1")
    killed_at_random(tmp_path / "cut", words, kills, processes)
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_four_kills(tmp_path: Path) -> None:
    check(tmp_path, kills=4, processes=1)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_thirty_kills(tmp_path: Path, processes: int) -> None:
    check(tmp_path, kills=30, processes=processes)


def test_a_torn_checkpoint(tmp_path: Path) -> None:
    """``last.pth`` cut in half: the run goes on from the one before, and says so."""
    words = ["workers=0", "save_interval=1", "max_iters=4"]
    for name in ("whole", "torn"):
        with started(nano(tmp_path / name, *words), tmp_path / f"{name}.txt") as run:
            assert run.end() == 0, run.said
    last = tmp_path / "torn/last.pth"
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    with started([*nano(tmp_path / "torn", *words), "--resume"], tmp_path / "again.txt") as run:
        assert run.end() == 0, run.said
    assert "before_last.pth instead" in run.said and "at step 3" in run.said
    assert_equal_runs(tmp_path / "whole", tmp_path / "torn")
