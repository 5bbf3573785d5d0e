"""The real trainer on the CPU: short runs, resumed runs, two processes, signals."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from otadet.cli.demo import main as demo
from otadet.cli.eval import main as evaluate
from otadet.cli.train import chosen_precision, parser
from otadet.cli.train import main as train
from otadet.data import ShapesDataset, write_coco
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.run_directory import LOCK
from otadet.engine.run_errors import exit_code
from otadet.errors import InputError
from otadet.exp import Exp
from otadet.models import BACKBONES
from tests.engine.processes import SMALL, quick
from tests.helpers import SHARED, needs_shared

ROOT = Path(__file__).parents[2]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # as tests in this process have


def run(output: Path, *words: str, batch: int = 4) -> int:
    return train(quick(output, *words, batch=batch))


def command(output: Path, *words: str, devices: str = "cpu") -> list[str]:
    """A tiny run in a process of its own, or in those that the launcher starts."""
    tiny = quick(output, *words)
    tiny[tiny.index("cpu")] = devices
    return [sys.executable, "tools/train.py", *tiny]


def weights(folder: Path, name: str = "last.pth") -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / name).weights


def test_the_weights_of_the_last_epochs_are_kept(tmp_path: Path) -> None:
    """12 images, 4 a step: epochs of three steps, the last one cut short."""
    assert run(tmp_path, "--keep-checkpoints", "2", "max_iters=10", "eval_interval=9") == 0
    kept = sorted((tmp_path / "epochs").iterdir())
    assert [path.name for path in kept] == ["epoch_0003.pth", "epoch_0004.pth"]
    assert [load_checkpoint(path).step for path in kept] == [9, 10]
    assert load_checkpoint(kept[1]).training == {}
    last, weights_ = weights(tmp_path), load_checkpoint(kept[1]).weights
    assert all(torch.equal(weights_[name], value) for name, value in last.items())
    with pytest.raises(InputError, match="--keep-checkpoints -1: expected at least 0"):
        run(tmp_path / "other", "--keep-checkpoints", "-1")


def test_a_run_leaves_what_it_says(tmp_path: Path) -> None:
    assert run(tmp_path, "max_iters=4", "eval_interval=1") == 0
    names = {p.name for p in tmp_path.iterdir()}
    assert {
        "last.pth",
        "best.pth",
        "log.txt",
        "metrics.jsonl",
        "curves.png",
        "pictures",
        "metrics.json",
    } <= names
    assert not any(n.endswith(".part") for n in names)
    lines = [
        json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    final = [x for x in lines if x["kind"] == "train"][-1]
    assert final["step"] == 4 and {"loss", "cls", "box", "quality", "lr"} <= final.keys()
    assert {"positives_per_object", "uncovered", "ambiguous"} <= final.keys()
    assert [x["step"] for x in lines if x["kind"] == "val"] == [3, 4]
    best = load_checkpoint(tmp_path / "best.pth")
    assert best.class_names == ("circle", "square") and best.training == {}
    assert best.settings["head_width"] == 32
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "batch 4 in all = 1 x 4" in log and "lr 0.001\n" in log

    assert not (tmp_path / "epochs").exists()  # where nobody asks for them

    # The checkpoint alone is enough for evaluation and for the demo.
    with pytest.raises(InputError, match="expected the network's classes, circle, square"):
        evaluate(["-c", str(tmp_path / "best.pth"), "-d", "cpu", "shapes_classes=square,circle"])
    with pytest.raises(
        InputError, match=r"log\.txt: is a file"
    ):  # said before anything else is done
        evaluate(["-c", str(tmp_path / "best.pth"), "-d", "cpu", "shapes_classes=square,circle",
                  "-o", str(tmp_path / "log.txt")])  # fmt: skip
    out = tmp_path / "eval"
    words = ["-c", str(tmp_path / "best.pth"), "-o", str(out), "-d", "cpu", "--plots"]
    assert evaluate(words) == 0
    assert sorted(path.name for path in (out / "plots").iterdir()) == [
        "classes.csv", "confusion_matrix.csv", "confusion_matrix.png", "f1.png",
        "precision_recall.csv", "precision_recall.png", "thresholds.csv",
    ]  # fmt: skip
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert list(metrics) == ["AP", "AP50", "AP75", "APs", "APm", "APl",
                             "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]  # fmt: skip
    image = next((tmp_path / "pictures").glob("val_*.jpg"))
    words = ["image", "-c", str(tmp_path / "best.pth"), "--path", str(image)]
    assert demo([*words, "-o", str(tmp_path / "demo"), "-d", "cpu"]) == 0
    assert (tmp_path / "demo" / image.name).stat().st_size > 0
    with pytest.raises(InputError, match="would replace the images"):
        demo([*words, "-o", str(image.parent), "-d", "cpu"])


def test_two_runs_are_equal_to_the_bit(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run(tmp_path / name, "max_iters=3", "color_jitter=true", "crop=0.5") == 0
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_resume_is_exact(tmp_path: Path) -> None:
    """Thirty steps equal some steps, a stop, and the rest, in every weight."""
    words = ["max_iters=30", "eval_interval=1000"]
    assert run(tmp_path / "whole", *words) == 0
    cut = tmp_path / "cut"
    process = subprocess.Popen(
        command(cut, *words), cwd=ROOT, env=ONE_THREAD, stderr=subprocess.PIPE, text=True
    )
    _wait_for(cut / "last.pth", process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    stopped = load_checkpoint(cut / "last.pth").step
    assert 0 < stopped < 30
    assert run(cut, "max_iters=30", "eval_interval=1000", "--resume") == 0
    whole, resumed = load_checkpoint(tmp_path / "whole/last.pth"), load_checkpoint(cut / "last.pth")
    assert all(torch.equal(whole.weights[k], resumed.weights[k]) for k in whole.weights)
    mine, theirs = whole.training["model"], resumed.training["model"]
    assert all(torch.equal(mine[k], theirs[k]) for k in mine)
    assert resumed.metrics == whole.metrics  # the evaluation at the end was not lost
    steps = [
        json.loads(x)["step"]
        for x in (cut / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert steps == sorted(steps) and steps[-1] == 30


def test_an_older_run_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not of a run", encoding="utf-8")
    for number in range(3):
        assert run(tmp_path, "max_iters=1", f"seed={number}") == 0
    assert load_checkpoint(tmp_path / "best.pth").settings["seed"] == 2
    for number in (0, 1):
        kept = tmp_path / f"previous-{number + 1}"
        assert load_checkpoint(kept / "best.pth").settings["seed"] == number
        assert {"log.txt", "metrics.jsonl", "pictures"} <= {p.name for p in kept.iterdir()}
    assert (tmp_path / "mine.txt").exists()


def test_a_folder_takes_one_run_at_a_time(tmp_path: Path) -> None:
    """Another process' claim is respected, and ends with it however it ends."""
    claim = "from otadet.engine.run_directory import lock_run_directory; from pathlib import Path; "
    claim += "f = lock_run_directory(Path('.')); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", claim], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another run is writing to it"):
            run(tmp_path, "max_iters=1")
        assert {p.name for p in tmp_path.iterdir()} == {LOCK}
        other.kill()
    assert run(tmp_path, "max_iters=1") == 0


def test_a_resumed_run_compares_settings_of_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names by which the run calls its own facts, too."""
    (tmp_path / "own.py").write_text(
        "from otadet.exp import Exp\n\n\nclass Own(Exp):\n"
        "    classes: str = 'one'\n    steps: int = 7\n",
        encoding="utf-8",
    )
    words = quick(tmp_path / "run", "max_iters=2")
    words = ["-f", str(tmp_path / "own.py"), *words[2:]]
    assert train(words) == 0
    capsys.readouterr()
    assert train([*words, "--resume"]) == 0
    assert "already finished: step 2 of 2" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"another run: classes was one and is two; steps was 7"):
        train([*words, "--resume", "classes=two", "steps=8"])


def test_resume_goes_on_with_the_same_run_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "max_iters=2") == 0
    with pytest.raises(InputError, match=r"another run: .*lr was 0.002 and is 0.5"):
        run(tmp_path, "max_iters=2", "lr=0.5", "--resume")
    with pytest.raises(InputError, match=r"steps was 2 and is 3"):
        run(tmp_path, "max_iters=3", "--resume")
    # Nothing but --resume: settings, batch and precision come from the checkpoint.
    words = ["-n", "quickstart", "-d", "cpu", "-o", str(tmp_path), "--resume", "workers=0"]
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    capsys.readouterr()
    changed = [
        "cache=memory", "eval_interval=7", "patience=3",
        "save_interval=5", "skip_nonfinite=2", "val_loss=false", "check_data=false",
    ]  # fmt: skip
    assert train([*words, *changed]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"{tmp_path}: already finished: step 2 of 2")
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == log
    # A run that ended while its report was drawn has that left to do.
    shutil.rmtree(tmp_path / "pictures")
    assert train(words) == 0
    assert list((tmp_path / "pictures").glob("assignment_*.jpg"))
    assert "images/s" not in (tmp_path / "log.txt").read_text(encoding="utf-8").removeprefix(log)
    # A flag that says something else is refused; without one it is the run's own.
    content = torch.load(tmp_path / "last.pth", weights_only=True)
    for name in ("fp32", "bf16"):
        content["training"]["precision"] = name
        torch.save(content, tmp_path / "last.pth")
        before = load_checkpoint(tmp_path / "last.pth")
        assert chosen_precision(parser().parse_args(words), "cpu", Exp(), before).name == name
        if name == "fp32":
            with pytest.raises(InputError, match="precision was fp32 and is bf16"):
                train([*words, "--bf16"])


def test_a_run_that_diverges_ends_with_advice(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"step \d+.*try a lower lr"):
        run(tmp_path, "max_iters=40", "optimizer=sgd", "lr=1e30", "clip_grad=0", "warmup_iters=0")


def test_two_processes_stop_together_on_a_signal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path, "max_iters=5000", "eval_interval=100000", "shapes_train=4000",
                "workers=2", devices="cpu:2"),
        cwd=ROOT, stderr=subprocess.PIPE, text=True, env=ONE_THREAD,
        start_new_session=True,
    )  # fmt: skip
    _wait_for(tmp_path / "metrics.jsonl", process)
    assert not (tmp_path / "last.pth").exists()  # in the first epoch
    os.killpg(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "stopped by a signal at step" in errors.splitlines()[-1], errors
    assert "Traceback" not in errors
    assert 0 < load_checkpoint(tmp_path / "last.pth").step < 5000


def test_an_error_in_another_process_is_said(tmp_path: Path) -> None:
    """The first cause is the last line, once, and in the run's log."""
    data = write_coco(ShapesDataset(4, size=(64, 64), object_size=(16, 48)), tmp_path / "data")
    images = sorted((tmp_path / "data/images").iterdir())
    for image in images[2:]:  # evaluation gives the second half to the second process
        image.write_bytes(image.read_bytes()[:200])
    words = [f"data_dir={tmp_path / 'data'}", "train_images=images", "val_images=images",
             f"train_ann={data}", f"val_ann={data}", "max_iters=50"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "tools/train.py", "-n", "quickstart", "--fp32", "-d", "cpu:2", "-b", "4",
         "-o", str(tmp_path / "run"), *SMALL, *words, "workers=2"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "rank " in last and "is truncated" in last and "image id" in last, done.stderr
    assert done.stderr.count("ERROR") == 1 and "Traceback" not in done.stderr
    assert last.split("ERROR")[1].strip() in (tmp_path / "run/log.txt").read_text(encoding="utf-8")


def _wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Same images, same augmentation, same weights after two steps, but for rounding."""
    torch.manual_seed(0)
    torch.save(BACKBONES["resnet10"](norm_layer=torch.nn.BatchNorm2d).state_dict(), tmp_path / "w")
    words = ["max_iters=2", "frozen_norm=true", f"backbone_weights={tmp_path / 'w'}",
             "ema_decay=0", "eval_interval=1000"]  # fmt: skip
    assert run(tmp_path / "one", *words) == 0
    done = subprocess.run(
        command(tmp_path / "two", *words, devices="cpu:2"),
        cwd=ROOT, env=ONE_THREAD, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for key in one:
        assert torch.allclose(one[key], two[key], atol=2e-4), key
    evaluations = [
        [
            json.loads(x)
            for x in (tmp_path / n / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ][-1]
        for n in ("one", "two")
    ]
    assert evaluations[0]["AP"] == pytest.approx(evaluations[1]["AP"], abs=0.02)


@needs_shared
def test_real_images_train_and_evaluate(tmp_path: Path) -> None:
    words = [
        "-f", str(ROOT / "exps/ota_fcos_r18.py"), "-d", "cpu", "-b", "2", "-o", str(tmp_path),
        f"data_dir={SHARED / 'data/bccd'}", "train_ann=annotations/train.json",
        "val_ann=annotations/val.json", "train_images=images", "val_images=images",
        "max_iters=2", "workers=0", "backbone=resnet10", "input_size=128,160", "test_size=128,160",
        "head_convs=1",
    ]  # fmt: skip
    assert train(words) == 0
    checkpoint = load_checkpoint(tmp_path / "best.pth")
    assert checkpoint.class_names == ("RBC", "WBC", "Platelets")
    with pytest.raises(InputError, match=r"RBC"):  # another data set's classes
        evaluate(["-c", str(tmp_path / "best.pth"), "-d", "cpu", "-o", str(tmp_path / "other"),
                  f"data_dir={SHARED / 'data/nuclei'}"])  # fmt: skip
    assert not (tmp_path / "other").exists()


def test_wrong_input_is_one_clear_line_and_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    quick = ["-n", "quickstart", "-d", "cpu", "-o", str(out)]
    cases: list[tuple[list[str], str]] = [
        ([*quick, "max_epoch=1"], "did you mean 'max_epochs'"),
        ([*quick, "max_iters=many"], "max_iters: expected a whole number or none|whole number"),
        ([*quick, "data_dir=/nowhere"], "/nowhere"),
        ([*quick, "--resume"], "nothing to resume"),
        ([*quick, "-b", "0"], "expected 1 to 1,000,000 images per step"),
        ([*quick, "eval_interval=0"], "eval_interval: expected at least 1, got 0"),
        ([*quick, "flip=3"], "flip: expected 0 to 1, got 3"),
        ([*quick, "lr=nan"], "lr: expected at least 0, got nan"),
        ([*quick, "max_iters=-3"], "max_iters: expected at least 1"),
        ([*quick, "--fp16"], "--fp16 needs a GPU"),
        ([*quick, "frozen_norm=true"], "backbone_weights is none; give weights"),
        ([*quick, "num_classes=9"], "num_classes=9, but the data have"),
        ([*quick, "multiscale=640,320"], "multiscale: expected the smaller number first"),
        ([*quick, "resize=shortest", "scale_range=2,1"], "scale_range: .*first, got 2,1"),
        (["-f", "nothing.py", "-d", "cpu"], "no such file"),
        (["-n", "quickstrt", "-d", "cpu"], "did you mean 'quickstart'"),
    ]
    for words, message in cases:
        with pytest.raises(InputError, match=message):
            train(words)
        assert not (out / "last.pth").exists() and not (out / "metrics.jsonl").exists()


def test_the_command_ends_with_code_2_and_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "tools/eval.py", "-c", "README.md"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "README.md: not a checkpoint that can be read" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    out = str(tmp_path / "file" / "run")
    with pytest.raises(NotADirectoryError) as caught:
        run(Path(out), "max_iters=1")
    code, line = exit_code(caught.value) or (0, "")
    assert code == 2 and line.startswith(f"{out}: Not a directory")
    assert exit_code(OSError(errno.EROFS, "Read-only file system", "x")) == (
        2, "x: Read-only file system",
    )  # fmt: skip
    assert exit_code(OSError(errno.ENOSPC, "No space left", "x")) == (
        1, "x: No space left: free disk space, then try again",
    )  # fmt: skip
    assert exit_code(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None


def test_demo_without_weights_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no weights are published for ota_fcos_r50.*-c"):
        demo(["image", "-n", "ota_r50", "--path", "x.jpg"])
