"""Resumes from checkpoints, of data and in folders that are not what they were."""

import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from otadet.cli.train import main as train
from otadet.data import ShapesDataset, write_coco
from otadet.engine.checkpoint import load_checkpoint
from otadet.errors import InputError
from tests.engine.processes import pair, quick, started

Training = dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(quick(out, "max_iters=4", "save_interval=1", "eval_interval=1000")) == 0
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A run whose last step is to be done again, with no checkpoint before its last."""
    copy = Path(shutil.copytree(finished, tmp_path / "run"))
    (copy / "before_last.pth").replace(copy / "last.pth")
    shutil.rmtree(copy / "pictures")
    return copy


def again(run: Path, *words: str) -> int:
    return train(["--resume", "-o", str(run), "-d", "cpu", *words])


def spoil(run: Path, change: Callable[[Training], object]) -> None:
    content = torch.load(run / "last.pth", weights_only=True)
    change(content["training"])
    torch.save(content, run / "last.pth")


def first(entries: Training) -> Training:
    """The state of an optimizer's first parameter."""
    state: Training = entries["optimizer"]["state"][0]
    return state


def group(entries: Training) -> Training:
    found: Training = entries["optimizer"]["param_groups"][0]
    return found


FAULTS: dict[str, tuple[Callable[[Training], object], str]] = {
    **{
        f"without {name}": (lambda t, name=name: t.pop(name), f"training.{name}: missing")
        for name in ("model", "optimizer", "scaler", "best", "stale", "rng")
    },
    "nothing": (lambda t: t.clear(), "holds weights only, no training state"),
    "several": (lambda t: [t.pop("rng"), t.pop("best")], "best: missing; training.rng: missing"),
    "another network": (lambda t: t["model"].popitem(), "weights of another network: 1 entries"),
    "a group too many": (
        lambda t: t["optimizer"]["param_groups"].append({"params": []}), "expected groups of",
    ),
    "a parameter twice": (
        lambda t: group(t)["params"].__setitem__(0, group(t)["params"][1]), "comes twice",
    ),
    "a rate of text": (lambda t: group(t).update(lr="x"), r"\.lr: expected one like .* got 'x'"),
    "three betas": (lambda t: group(t).update(betas=(0.1, 0.2, 0.3)), r"betas: .* a tuple of 3"),
    "another flag": (lambda t: group(t).update(amsgrad=True), "amsgrad: expected one like False"),
    "half an average": (
        lambda t: first(t).pop("exp_avg_sq"), r"\[0\]: expected step, exp_avg, exp_avg_sq, got",
    ),
    "a negative count": (
        lambda t: first(t).update(step=torch.tensor(-5.0)), r"\.step: expected at least 0, got -5",
    ),
    "negative squares": (
        lambda t: first(t)["exp_avg_sq"].fill_(-1), r"exp_avg_sq: expected averages of squares",
    ),
    "a foreign parameter": (
        lambda t: t["optimizer"]["state"].update({9999: {}}), r"state\[9999\]: no such parameter",
    ),
    "another shape": (
        lambda t: first(t).update(exp_avg=torch.ones(3)), r"state\[0\].exp_avg: expected the shape",
    ),
    "a random state of nothing": (
        lambda t: t.update(rng=[torch.full((5056,), 255, dtype=torch.uint8)]), "rng: .*state",
    ),
    "an unknown precision": (lambda t: t.update(precision="fp8"), "precision: .* got 'fp8'"),
    "steps of another run": (lambda t: t.update(steps=77), "steps was 77 and is 4"),
    "less than no steps": (lambda t: t.update(steps=-4), "steps: .* got -4"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_part_that_is_wrong_is_one_line(run: Path, name: str) -> None:
    change, message = FAULTS[name]
    spoil(run, change)
    with pytest.raises(InputError, match=message) as caught:
        again(run)
    assert "\n" not in str(caught.value) and "last.pth" in str(caught.value)


def test_options_that_another_torch_did_not_save(run: Path, finished: Path) -> None:
    spoil(run, lambda t: [group(t).pop("foreach", None), t["scaler"].pop("growth_interval")])
    assert again(run) == 0
    a, b = (load_checkpoint(each / "last.pth").weights for each in (run, finished))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("spoiled", [{}, {"val": b"\xff\xfe not UTF-8 \x00"}])
def test_files_of_metrics_that_are_no_text(run: Path, spoiled: dict[str, bytes]) -> None:
    whole = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    lines = [
        *whole, b"\xff\xfe\n", b"[" * 9999, b"\n7\n", b'{"step": ' + b"9" * 5000 + b"}\n",
        b'{"step": 1, "kind": "val", "AP": "x"}\n', b'{"step": NaN, "kind": "val"}\n',
    ]  # fmt: skip
    (run / "metrics.jsonl").write_bytes(b"".join(lines))
    rows = [b"step,kind,name,value\n", b"2,train,loss,1.5\n", b"2,train,\xff,1.5\n", b"\0\n",
            b"2,train,loss," + b"1" * 200_000 + b"\n", b'2,"train\n']  # fmt: skip
    (run / "metrics.csv").write_bytes(b"".join(rows))
    assert again(run, "--log", "csv") == 0
    kept = [json.loads(x) for x in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["kind"] for line in kept} == {"train", "val"}
    csv = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert csv[:2] == ["step,kind,name,value", "2,train,loss,1.5"] and "\ufffd" not in "".join(csv)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shapes = ShapesDataset(12, size=(64, 64), object_size=(16, 48), classes=("circle", "square"))
    write_coco(shapes, tmp_path / "data")
    return tmp_path / "data"


def on(data: Path, output: Path) -> list[str]:
    places = ["train_images=images", "val_images=images", "train_ann=annotations/train.json",
              "val_ann=annotations/train.json"]  # fmt: skip
    return quick(output, f"data_dir={data}", *places, "max_iters=4", "save_interval=1",
                 "eval_interval=1000")  # fmt: skip


def change_annotations(data: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = data / "annotations/train.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def begun(data: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    assert train(on(data, run)) == 0
    (run / "before_last.pth").replace(run / "last.pth")
    shutil.rmtree(run / "pictures")
    return run


def test_a_run_goes_on_with_the_images_that_it_began_with(begun: Path, data: Path) -> None:
    assert train([*on(data, begun), "--resume"]) == 0
    assert "began" not in (begun / "log.txt").read_text(encoding="utf-8")

    def swap(document: dict[str, Any]) -> None:
        images = document["images"]
        images[0]["file_name"], images[1]["file_name"] = (images[i]["file_name"] for i in (1, 0))

    change_annotations(data, swap)
    shutil.rmtree(begun / "pictures")
    message = r"the images of train are not those .* \(12 then, 12 now\); start another run from it"
    with pytest.raises(InputError, match=message):
        train([*on(data, begun), "--resume"])


def test_other_annotations_are_said(begun: Path, data: Path) -> None:
    change_annotations(data, lambda d: d["annotations"][0].update(bbox=[1, 2, 20, 30]))
    assert train([*on(data, begun), "--resume"]) == 0
    log = (begun / "log.txt").read_text(encoding="utf-8")
    for split in ("train", "val"):
        assert f"the annotations of {split} have changed since the run began" in log


def test_older_runs_do_not_know_their_data(begun: Path, data: Path) -> None:
    spoil(begun, lambda t: t.pop("data"))
    change_annotations(data, lambda d: d["annotations"][0].update(bbox=[1, 2, 20, 30]))
    assert train([*on(data, begun), "--resume"]) == 0


LONG = ["max_iters=100000", "eval_interval=100000", "save_interval=1"]


def test_a_folder_that_is_deleted_and_taken_by_another_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with started(quick(folder, *LONG), tmp_path / "first.txt") as first_run:
        first_run.wait_for((folder / "before_last.pth").exists)
        first_run.kill(signal.SIGSTOP)  # as one that is busy with a step
        while [path for path in folder.iterdir() if ".part" in path.name]:
            first_run.kill(signal.SIGCONT)  # it was writing
            time.sleep(0.05)
            first_run.kill(signal.SIGSTOP)
        moved = folder.rename(tmp_path / "gone")
        with started(quick(folder, *LONG, "seed=7"), tmp_path / "second.txt") as second_run:
            second_run.wait_for((folder / "last.pth").exists)
            first_run.kill(signal.SIGCONT)
            assert first_run.end() == 1, first_run.said
            assert "was removed, and another run writes to it now" in first_run.last_line()
            step = load_checkpoint(folder / "last.pth").step
            second_run.wait_for(lambda: load_checkpoint(folder / "last.pth").step > step)
            assert load_checkpoint(folder / "last.pth").settings["seed"] == 7
            log = (folder / "log.txt").read_text(encoding="utf-8")
            assert "another run" not in log and log.count("device:") == 1
    assert moved.exists()


def test_a_folder_that_is_deleted_gets_its_last_step_back(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = quick(folder, *LONG)
    with started(words, tmp_path / "first.txt") as running:
        running.wait_for((folder / "before_last.pth").exists)
        shutil.rmtree(folder, ignore_errors=True)
        assert running.end() == 1, running.said
    last = running.last_line()
    assert "was removed while the run was writing to it; step" in last
    step = load_checkpoint(folder / "last.pth").step
    assert f"step {step} is saved there again" in last
    with started([*words, "--resume"], tmp_path / "again.txt") as running:
        running.wait_for(lambda: load_checkpoint(folder / "last.pth").step > step)


def test_an_epoch_is_saved_before_a_process_dies_in_its_evaluation(tmp_path: Path) -> None:
    """One of two processes dies as soon as it evaluates, while the other may still be saving."""
    exp = tmp_path / "dies.py"
    exp.write_text(DIES, encoding="utf-8")
    words = ["-f", str(exp), *quick(tmp_path / "run", "max_iters=6")[2:]]
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path) as both:
        assert both[1].end() == -9 and both[0].end() == 1, both[0].said
    last = load_checkpoint(tmp_path / "run/last.pth")
    assert last.step == 3 and last.training["evaluation_due"]


DIES = """
import os, signal, time
from otadet import dist
from otadet.engine import checkpoint, checkpoint_writer
from otadet.exp import load_class

def slowly(*words, **options):
    time.sleep(1)  # a large network on a slow disk
    return checkpoint.save_checkpoint(*words, **options)

checkpoint_writer.save_checkpoint = slowly

class Dies(load_class(name="quickstart")):
    def build_postprocess(self):
        if dist.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().build_postprocess()
"""
