"""``tools/benchmark.py``: what it says, not how fast it is."""

import json
from pathlib import Path

import pytest

from otadet.cli import benchmark, eval
from otadet.data import ShapesDataset, write_image
from otadet.errors import InputError
from tests.export.networks import CLASSES, checkpoint


def test_a_table_of_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-d", "cpu", "--repeats", "4", "--warmup", "1", "-b", "2", "--fuse"]
    path = tmp_path / "a.png"
    write_image(path, ShapesDataset(1, seed=0, size=(100, 110)).load(0).image)
    words += ["--path", str(path), str(path)]  # as a shell makes them of a pattern
    words += ["--save-json", str(tmp_path / "b.json"), "--nms-kind", "linear"]
    assert benchmark.main(["-c", str(checkpoint(tmp_path)), *words]) == 0
    text = capsys.readouterr().out
    for stage in ("read", "resize", "network", "postprocess", "all"):
        assert f"\n{stage} " in text
    report = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert report["size"] == "96x128" and report["fused"] and report["nms"] == "linear"
    for row in report["stages"]:
        assert 0 < row["median"] <= row["p95"]
        assert row["images_per_second"] == pytest.approx(2000 / row["median"])
    parts = sum(row["median"] for row in report["stages"][:-1])
    assert report["stages"][-1]["median"] == pytest.approx(parts, rel=0.9)


def test_a_fresh_network_at_another_size(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-n", "quickstart", "-d", "cpu", "--size", "64", "--repeats", "2", "--warmup", "0"]
    assert benchmark.main(words) == 0
    assert "size 64x64" in capsys.readouterr().out


def test_wrong_input() -> None:
    for words, message in (
        ([], "give a checkpoint with -c, or name an experiment"),
        (["-n", "quickstart", "--repeats", "0"], "--repeats: expected at least 1, got 0"),
        (["-n", "quickstart", "--save-json", "/no/where/b.json"], "folder does not exist"),
        (["-n", "quickstart", "-d", "cpu:2"], "runs on one device"),
    ):
        with pytest.raises(InputError, match=message):
            benchmark.main(words)


def test_evaluation_of_a_fused_network_is_that_of_the_plain_one(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, shapes_val=4, shapes_classes=CLASSES)
    words = ["-c", str(path), "-d", "cpu", "-o"]
    assert eval.main([*words, str(tmp_path / "a")]) == 0
    assert eval.main([*words, str(tmp_path / "b"), "--fuse"]) == 0
    a, b = (json.loads((tmp_path / n / "metrics.json").read_text(encoding="utf-8")) for n in "ab")
    assert a.keys() == b.keys() and a["AP"] == pytest.approx(b["AP"], abs=1e-4)
