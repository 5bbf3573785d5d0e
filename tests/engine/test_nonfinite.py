"""Runs whose values become NaN or infinite at a known place for a known image."""

import json
from pathlib import Path

import pytest
import torch

from otadet.cli.replay import main as replay
from otadet.cli.train import main as train
from otadet.engine.checkpoint import load_checkpoint, save_file
from otadet.engine.replay_bundle import read_bundle
from otadet.errors import InputError
from tests.engine.conftest import WHITE, heard, spoiled
from tests.engine.processes import pair, quick

SPOILED = Path(__file__).parent / "spoiled.py"

NOTHING_BUT_NAN = """
import torch
from otadet.exp import load_class

class Nan(torch.nn.Module):
    def forward(self, logits):
        return logits * float("nan")

class Nothing(load_class(name="quickstart")):
    def build_model(self, num_classes):
        model = super().build_model(num_classes)
        model.head.cls_out = torch.nn.Sequential(model.head.cls_out, Nan())
        return model
"""


def left_out(folder: Path) -> float:
    lines = [
        json.loads(x) for x in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return sum(x["steps_left_out"] for x in lines if x["kind"] == "train")


def bundles(folder: Path) -> list[Path]:
    return sorted((folder / "faults").iterdir())


def test_steps_are_left_out_and_can_be_replayed(tmp_path: Path, spoiled_data: Path) -> None:
    """The white image comes once in an epoch of three steps."""
    assert train(spoiled(tmp_path, spoiled_data, "nan", "max_iters=6", "skip_nonfinite=1")) == 0
    assert left_out(tmp_path) == 2
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert log.count("WARNING") == 2 and log.count("predictions are not finite; skipped") == 2
    assert "6, 2 skipped" in log
    weights = load_checkpoint(tmp_path / "last.pth").weights
    assert all(w.isfinite().all() for w in weights.values())

    first = bundles(tmp_path)[0]
    bundle = read_bundle(first)
    assert WHITE in bundle.batch.image_ids and bundle.what == "predictions"
    assert bundle.progress == (bundle.step - 1) / 6
    with heard() as said:
        assert replay([str(first), "-f", str(SPOILED)]) == 0
    assert "assignment of 3 images with finite predictions:" in said[1]
    lines = [line for line in said if "output of backbone" in line]
    assert f"fp32: output of backbone [2], image id {WHITE}:" in lines[0]
    assert f"float64: output of backbone [2], image id {WHITE}:" in lines[1]
    assert "not a matter of precision" in said[-1]


def test_a_bundle_of_an_older_version_is_replayed(tmp_path: Path, spoiled_data: Path) -> None:
    """It also holds the assigner's report, by that version's names."""
    with pytest.raises(FloatingPointError):
        train(spoiled(tmp_path, spoiled_data, "nan", "max_iters=3", "accumulate=2"))
    path = bundles(tmp_path)[0]
    content = torch.load(path, weights_only=True)
    assert content["bundle"] == 2 and content["parts"] == 2
    report = {name: [torch.ones(1)] for name in ("supply", "received", "bare", "cost")}
    content["assignment"] = {"image_ids": [0], "lonely": torch.zeros(1), **report}
    torch.save(content, path)
    with heard() as said:
        assert replay([str(path), "-f", str(SPOILED)]) == 0
    assert f"of 2: output of backbone [2], image id {WHITE}:" in "".join(said)


def test_a_bundle_does_not_choose_what_runs(tmp_path: Path, spoiled_data: Path) -> None:
    with pytest.raises(FloatingPointError):
        train(spoiled(tmp_path, spoiled_data, "nan", "max_iters=3"))
    with pytest.raises(InputError, match=r"is of the experiment 'spoiled', .*-f"):
        replay([str(bundles(tmp_path)[0])])


def test_an_overflow_is_told_from_a_mistake(tmp_path: Path, spoiled_data: Path) -> None:
    out = tmp_path / "overflow"
    with pytest.raises(FloatingPointError, match=r"predictions are not finite.*tools/replay.py"):
        train(spoiled(out, spoiled_data, "overflow", "max_iters=3"))
    with heard() as said:
        assert replay([str(bundles(out)[0]), "-f", str(SPOILED)]) == 0
    assert f"fp32: output of backbone [2], image id {WHITE}:" in "".join(said)
    assert "float64: everything is finite" in "".join(said)
    assert "an overflow of fp32" in said[-1]


def test_a_gradient_is_found_too(tmp_path: Path, spoiled_data: Path) -> None:
    with pytest.raises(FloatingPointError, match="gradient is not finite"):
        train(spoiled(tmp_path, spoiled_data, "gradient", "max_iters=3"))
    with heard() as said:
        assert replay([str(bundles(tmp_path)[0]), "-f", str(SPOILED)]) == 0
    lines = [line for line in said if ": gradient at the output of backbone.inner" in line]
    assert len(lines) == 2 and f"image id {WHITE}:" in lines[0]
    assert "float64: gradient at" in lines[1]


def test_frozen_parts_are_replayed_as_they_ran(tmp_path: Path, spoiled_data: Path) -> None:
    """Statistics that are not finite show only where they are used: in a norm that is frozen."""
    with pytest.raises(FloatingPointError, match="not finite"):
        train(spoiled(tmp_path, spoiled_data, "nan", "max_iters=3", "freeze=backbone.inner"))
    path = bundles(tmp_path)[0]
    content = torch.load(path, weights_only=True)
    content["images"].zero_()  # no image is white
    name = next(k for k in content["weights"] if k.endswith("running_var"))
    content["weights"][name].fill_(torch.nan)
    torch.save(content, path)
    with heard() as said:
        assert replay([str(path), "-f", str(SPOILED)]) == 0
    assert f"float64: output of {name.removesuffix('.running_var')}" in "".join(said)


def test_only_the_first_bundles_are_kept(tmp_path: Path, spoiled_data: Path) -> None:
    words = ["max_iters=18", "skip_nonfinite=1", "val_loss=false"]
    assert train(spoiled(tmp_path, spoiled_data, "nan", *words)) == 0
    assert left_out(tmp_path) == 6 and len(bundles(tmp_path)) == 5
    assert "holds the first 5 bundles" in (tmp_path / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("saves", [[], ["save_interval=1"]])
def test_faults_in_a_row_are_counted_over_saves_and_epochs(
    tmp_path: Path, saves: list[str]
) -> None:
    """Every loss is NaN; an epoch has three steps, and four faults in a row are one too many."""
    exp = tmp_path / "nothing.py"
    exp.write_text(NOTHING_BUT_NAN, encoding="utf-8")
    words = ["-f", str(exp), *quick(tmp_path / "run", "skip_nonfinite=3", *saves)[2:]]
    with pytest.raises(FloatingPointError, match="step 4: the predictions are not finite"):
        train([*words, "max_iters=12"])
    assert not (tmp_path / "run/best.pth").exists()
    assert load_checkpoint(tmp_path / "run/last.pth").training["faults_in_a_row"] == 3
    # What a checkpoint was written with counts on after a resume, which may allow more.
    with pytest.raises(FloatingPointError, match="step 4: the predictions are not finite"):
        train([*words, "max_iters=12", "--resume"])


def test_a_run_without_a_finite_step_is_no_success(tmp_path: Path) -> None:
    """Though no more faults came in a row than are allowed."""
    exp = tmp_path / "nothing.py"
    exp.write_text(NOTHING_BUT_NAN, encoding="utf-8")
    words = ["-f", str(exp), *quick(tmp_path / "run", "skip_nonfinite=9", "max_iters=5")[2:]]
    with pytest.raises(FloatingPointError, match="not one of 5 steps was finite"):
        train(words)
    assert not (tmp_path / "run/best.pth").exists()


def test_files_that_are_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.pth: file not found"):
        replay([str(tmp_path / "missing.pth")])
    save_file(tmp_path / "checkpoint.pth", {"weights": {"a": torch.zeros(1)}})
    with pytest.raises(InputError, match=r"expected a file that a run left in faults/.*checkpoint"):
        replay([str(tmp_path / "checkpoint.pth")])
    (tmp_path / "text.pth").write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match=r"bundle .*text.pth"):
        replay([str(tmp_path / "text.pth")])


@pytest.mark.parametrize("how", ["nan", "gradient"])
def test_two_processes_agree_where_one_meets_it(
    tmp_path: Path, spoiled_data: Path, how: str
) -> None:
    words = spoiled(tmp_path / "run", spoiled_data, how, "max_iters=3", "skip_nonfinite=1")
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path) as both:
        assert [p.end() for p in both] == [0, 0], both[0].said + both[1].said
    assert left_out(tmp_path / "run") == 1
    (step,) = {p.name.split("_rank_")[0] for p in bundles(tmp_path / "run")}
    # Whose image it was knows for predictions; a gradient is the same everywhere.
    assert len(bundles(tmp_path / "run")) == (1 if how == "nan" else 2)
    assert load_checkpoint(tmp_path / "run/last.pth").step == 3 and step.startswith("step_")


def test_two_processes_stop_where_one_meets_it(tmp_path: Path, spoiled_data: Path) -> None:
    words = spoiled(tmp_path / "run", spoiled_data, "nan", "max_iters=30", "save_interval=1")
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path) as both:
        assert [p.end() for p in both] == [1, 1], both[0].said + both[1].said
        said = both[0].said + both[1].said
    assert said.count("predictions are not finite") == 2 and "Traceback" not in said
    assert "the bundle is another process's" in said and "tools/replay.py" in said
    for path in (tmp_path / "run").glob("last*.pth"):
        load_checkpoint(path)
