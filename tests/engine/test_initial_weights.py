"""The digests of a run's initial weights, and the memory that it took."""

import json
import shutil
from pathlib import Path

import torch
from torch import nn

from otadet.cli.eval import main as evaluate
from otadet.cli.train import main as train
from otadet.engine.initial_weights import FILE, read_digests, weight_digests
from otadet.evaluation import load_evaluation
from tests.engine.processes import quick


def test_a_digest_is_of_values_and_shape_and_not_of_the_layout() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))
    before = weight_digests(net)
    assert before.keys() == net.state_dict().keys()
    assert weight_digests(net.to(memory_format=torch.channels_last)) == before  # type: ignore[call-overload]
    assert weight_digests(net.to(torch.bfloat16)) != before
    torch.manual_seed(0)
    again = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))
    assert weight_digests(again) == before
    with torch.no_grad():
        again[1].bias[3] += 1e-7
    assert {k for k, v in weight_digests(again).items() if v != before[k]} == {"1.bias"}


def test_a_run_writes_what_it_began_with(tmp_path: Path) -> None:
    """Methods begin alike, seeds do not, and a resumed run keeps what it began with."""
    for name, words in {"a": [], "b": ["method=atss"], "c": ["seed=1"]}.items():
        assert train(quick(tmp_path / name, "max_iters=2", *words)) == 0
    a, b, c = (read_digests(tmp_path / name) for name in "abc")
    assert len(a) > 20 and a == b and a.keys() == c.keys() and a != c
    shutil.rmtree(tmp_path / "a/pictures")  # else there is nothing to go on with
    written = (tmp_path / "a" / FILE).stat().st_mtime_ns
    assert train([*quick(tmp_path / "a", "max_iters=2"), "--resume"]) == 0
    assert (tmp_path / "a" / FILE).stat().st_mtime_ns == written
    assert read_digests(tmp_path / "none") == {}
    text = (tmp_path / "a/metrics.jsonl").read_text(encoding="utf-8")
    line = next(x for x in map(json.loads, text.splitlines()) if x["kind"] == "train")
    assert 100 < line["peak_memory_mib"] < 100_000


def test_an_evaluation_saves_its_detections(tmp_path: Path) -> None:
    assert train(quick(tmp_path, "max_iters=2")) == 0
    assert evaluate(["-c", str(tmp_path / "last.pth"), "-d", "cpu", "--save-detections"]) == 0
    saved = load_evaluation(tmp_path / "eval/detections.npz")
    assert saved.class_names == ("circle", "square")
    assert len(saved.gts) == 5 == len(saved.detections.image_ids)
