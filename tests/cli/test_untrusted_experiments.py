"""What a checkpoint, an ONNX file or a bundle names runs only if it is otadet's own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from loguru import logger

import otadet
from otadet.cli.benchmark import main as benchmark
from otadet.cli.demo import main as demo
from otadet.cli.eval import main as evaluate
from otadet.cli.export import main as export
from otadet.cli.replay import main as replay
from otadet.cli.train import main as train
from otadet.data import write_image
from otadet.data.shapes import ShapesDataset
from otadet.errors import InputError
from tests.engine.processes import TINY, quick

HARMFUL = """
from pathlib import Path
from otadet.exp import load_class

Path("was_run").touch()

class Mine(load_class(name="quickstart")):
    pass
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(quick(out, "max_iters=2", "val_loss=false")) == 0
    return out


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an experiment in ``exps/``, and a run whose files name it."""
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (tmp_path / "exps").mkdir()
    (tmp_path / "exps/mine.py").write_text(HARMFUL, encoding="utf-8")
    for path in run.glob("*.pth"):
        torch.save({**torch.load(path, weights_only=True), "experiment": "mine"}, path)
    write_image(tmp_path / "a.png", ShapesDataset(1, seed=0).load(0).image)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)


BEST = ["-c", "run/best.pth", "-d", "cpu"]
COMMANDS: dict[str, Callable[[], object]] = {
    "demo": lambda: demo(["image", *BEST, "--path", "a.png"]),
    "eval": lambda: evaluate(BEST),
    "export": lambda: export([*BEST[:2], "--output", "a.onnx"]),
    "benchmark": lambda: benchmark([*BEST, "--path", "a.png"]),
    "train": lambda: train([*BEST, *TINY, "-o", "other", "max_iters=1"]),
    "resume": lambda: train(["--resume", "-o", "run", "-d", "cpu"]),
    "resume of -c": lambda: train(["--resume", *BEST, "-o", "run"]),
    "load": lambda: otadet.load("run/best.pth", device="cpu"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_checkpoint_does_not_choose_a_file_of_this_folder(here: Path, command: str) -> None:
    message = r"\.pth is of the experiment 'mine', .* none of otadet's own .*-f .*exps/mine\.py"
    with pytest.raises(InputError, match=message):
        COMMANDS[command]()
    assert not Path("was_run").exists()


def test_the_user_may_name_it(here: Path) -> None:
    assert evaluate([*BEST, "-f", "exps/mine.py"]) == 0
    assert Path("was_run").exists()
    assert train(["--resume", "-o", "run", "-d", "cpu", "-n", "mine"]) == 0
    shutil.move("exps/mine.py", "run/mine.py")
    with pytest.raises(InputError, match=r"name it with -f run/mine\.py \(in Python exp_file=run/"):
        evaluate(BEST)
    assert len(otadet.load("run/best.pth", exp_file="run/mine.py", device="cpu").class_names) == 2
    Path("run/mine.py").unlink()
    with pytest.raises(InputError, match="name it with -f FILE"):
        evaluate(BEST)


def test_otadets_own_stays_itself_beside_a_file_of_its_name(
    here: Path, trained: Path, said: list[str]
) -> None:
    Path("exps/mine.py").rename("exps/quickstart.py")
    assert evaluate(["-c", str(trained / "best.pth"), "-d", "cpu", "-o", "out"]) == 0
    assert not Path("was_run").exists()
    (line,) = [line for line in said if "otadet's own" in line]
    assert "taking otadet's own quickstart; -f " in line and "exps/quickstart.py" in line


def test_an_exported_file_does_not_choose_either(here: Path, trained: Path) -> None:
    assert export([*BEST[:2], "-f", "exps/mine.py", "--output", "a.onnx"]) == 0
    Path("was_run").unlink()
    with pytest.raises(InputError, match=r"a\.onnx is of the experiment 'mine'"):
        evaluate(["--onnx", "a.onnx"])
    assert not Path("was_run").exists()
    assert evaluate(["--onnx", "a.onnx", "-f", "exps/mine.py", "-o", "out"]) == 0


def test_a_bundle_does_not_choose_either(here: Path) -> None:
    (here / "exps/nan.py").write_text(HARMFUL + NAN, encoding="utf-8")
    with pytest.raises(FloatingPointError):
        train([*quick(here / "faulty", "max_iters=1")[2:], "-f", "exps/nan.py"])
    Path("was_run").unlink()
    (bundle,) = (here / "faulty/faults").iterdir()
    with pytest.raises(InputError, match=r"of the experiment 'nan', .*-f .*exps/nan\.py"):
        replay([str(bundle)])
    assert not Path("was_run").exists()
    assert replay([str(bundle), "-f", "exps/nan.py"]) == 0


NAN = """
    def build_model(self, num_classes):
        model = super().build_model(num_classes)
        model.head.cls_out.bias.data.fill_(float("nan"))
        return model
"""
