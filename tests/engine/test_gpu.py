"""What only a GPU can show: real runs of the commands on one."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from otadet.cli.eval import main as evaluate
from otadet.cli.train import main as train
from otadet.engine.checkpoint import Checkpoint
from tests.engine.processes import TINY
from tests.engine.test_step import state as small_state

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize("precision", [[], ["--fp16"], ["--bf16"]], ids=["fp32", "fp16", "bf16"])
def test_a_run_learns_and_resumes(precision: list[str], tmp_path: Path) -> None:
    words = ["-n", "quickstart", "-d", "1", "-b", "4", "-o", str(tmp_path), *precision, *TINY]
    assert train([*words, "max_iters=6", "save_interval=3"]) == 0
    steps = [line for line in lines(tmp_path) if line["kind"] == "train"]
    assert steps and all(math.isfinite(line["loss"]) for line in steps)
    assert train(["-n", "quickstart", "-d", "1", "-o", str(tmp_path), "--resume"]) == 0


def test_an_evaluation_is_that_of_the_cpu(tmp_path: Path) -> None:
    run = ["-n", "quickstart", "-d", "1", "-b", "4", "-o", str(tmp_path), *TINY, "max_iters=20"]
    assert train(run) == 0
    best = str(tmp_path / "best.pth")
    found = {}
    for device, folder in (("0,", "gpu"), ("cpu", "cpu")):
        assert evaluate(["-c", best, "-d", device, "-o", str(tmp_path / folder)]) == 0
        found[folder] = json.loads((tmp_path / folder / "metrics.json").read_text(encoding="utf-8"))
    assert found["gpu"]["AP50"] == pytest.approx(found["cpu"]["AP50"], abs=0.01)


def test_a_resumed_run_draws_as_it_would_have() -> None:
    """Faster R-CNN draws its samples on the GPU."""
    state = small_state()
    state.model.cuda()
    weights = state.model.state_dict()
    saved = Checkpoint(Path("last.pth"), "", {}, (), weights, state.training(), 0, {})
    drawn = torch.rand(8, device="cuda")
    state.restore(saved)
    assert torch.equal(torch.rand(8, device="cuda"), drawn)
