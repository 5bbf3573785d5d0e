"""``otadet train my/data``: from a folder to a run, and on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from otadet.auto import Choice, derive, memory
from otadet.auto.derive import left_open
from otadet.cli import auto as auto_words
from otadet.cli.eval import main as evaluate
from otadet.cli.parsers.train import parser
from otadet.cli.train import main as train
from otadet.engine.checkpoint import load_checkpoint, save_checkpoint
from otadet.engine.devices import Devices
from otadet.engine.precision import Precision
from otadet.errors import InputError
from otadet.exp import BaseExp, load_exp

GIVEN = ["input_size=64,96", "workers=0", "max_iters=2", "val_loss=false"]


def test_a_folder_is_enough_and_nothing_is_derived_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    words = [str(folder), "-d", "cpu", "-o", str(out), *GIVEN, "test_size=64,96"]
    assert train([*words, "save_interval=1"]) == 0
    log = " ".join((out / "log.txt").read_text(encoding="utf-8").split())
    for part in (
        "cache memory",
        "workers 0 given",
        "could not fetch",
        "0.25 scratch: no published",
    ):
        assert part in log, part
    last = load_checkpoint(out / "last.pth")
    wanted = {
        "batch_size": 4, "cache": "memory", "input_size": [64, 96], "max_detections": 100,
        "patience": 5, "depthwise": True, "data_dir": str(folder), "workers": 0,
    }  # fmt: skip
    assert {name: last.settings[name] for name in wanted} == wanted
    monkeypatch.setattr(auto_words, "derive", lambda *_: pytest.fail("derived again"))
    (out / "before_last.pth").replace(out / "last.pth")
    assert load_checkpoint(out / "last.pth").step == 1
    assert train(["-o", str(out), "--resume"]) == 0
    again = load_checkpoint(out / "last.pth")
    assert again.step == 2 and again.settings == last.settings
    assert all(torch.equal(again.weights[k], v) for k, v in last.weights.items())
    assert evaluate(["-c", str(out / "best.pth"), "-d", "cpu", "-o", str(tmp_path / "eval")]) == 0


def checkpoint(path: Path, name: str) -> BaseExp:
    """Write fresh weights of an experiment for two classes."""
    exp = load_exp(name=name)
    save_checkpoint(
        path, experiment=name, settings=exp.as_dict(), class_names=("circle", "square"),
        weights=exp.build_model(2).state_dict(), step=0, metrics={}, operating_point=None,
    )  # fmt: skip
    return exp


def test_given_weights_choose_the_network(folder: Path, tmp_path: Path) -> None:
    exp = load_exp(name="auto", overrides={"data_dir": str(folder)})
    devices = Devices("cpu", (0,))
    start = tmp_path / "tiny.pth"
    tiny = checkpoint(start, "yolox_tiny").as_dict()
    found = derive(exp, {"data_dir"}, devices, start)
    assert (found.weights, found.precision) == (start, "fp32")
    assert (found.exp.width, found.exp.depthwise) == (tiny["width"], False)
    assert found.exp.max_epochs == 219  # not three times as many
    checkpoint(start, "quickstart")
    with pytest.raises(InputError, match=r"expected weights of yolox_nano, .*; got quickstart"):
        derive(exp, {"data_dir"}, devices, start)


def test_a_given_input_size_is_that_of_evaluation_too(folder: Path) -> None:
    sizes = {"data_dir": str(folder), "input_size": (64, 96)}
    exp = load_exp(name="auto", overrides=sizes)
    found = derive(exp, sizes, Devices("cpu", (0,))).exp
    assert (found.input_size, found.test_size) == ((64, 96), (64, 96))
    both = {**sizes, "test_size": (96, 128)}
    exp = load_exp(name="auto", overrides=both)
    found = derive(exp, both, Devices("cpu", (0,))).exp
    assert (found.input_size, found.test_size) == ((64, 96), (96, 128))


def test_what_is_given_leaves_the_rest_of_a_choice_open() -> None:
    tiles = Choice({"tile": 384, "tile_overlap": 32, "input_size": (416, 416)}, "small objects")
    exp = load_exp(name="auto", overrides={"tile": 512, "input_size": (320, 320)})
    assert left_open(tiles, exp, {"input_size"}).values == {"tile": 384, "tile_overlap": 32}
    assert left_open(tiles, exp, {"tile"}) == Choice({"tile": 512}, "given")
    assert left_open(tiles, exp, {"seed"}) == tiles


def words_of(*argv: str) -> tuple[list[str], str | None]:
    args = parser().parse(argv)
    auto_words.take_data(args)
    return args.overrides, args.name


def test_a_path_as_first_word(folder: Path) -> None:
    assert words_of(str(folder), "seed=3") == ([f"data_dir={folder}", "seed=3"], "auto")
    found = words_of("-n", "finetune_nano", str(folder))
    assert found == ([f"data_dir={folder}"], "finetune_nano")
    assert words_of("-n", "quickstart", "max_epochs", "3") == (["max_epochs", "3"], "quickstart")
    assert words_of("seed=3") == (["seed=3"], None)
    with pytest.raises(InputError, match=r"my/dat: expected a folder of images and annotations"):
        words_of("my/dat")


def test_a_launcher_of_others_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(InputError, match="auto: derives settings in one process"):
        train([str(folder), "-d", "cpu"])


def test_memory_is_measured_with_the_densest_images(folder: Path) -> None:
    exp = load_exp(name="auto", overrides={"data_dir": str(folder), "input_size": (64, 96)})
    data = exp.build_train_data()
    dense = memory.densest(data)
    counts = sorted((len(data.ground_truth(i).labels) for i in range(len(data))), reverse=True)
    assert [len(dense.ground_truth(i).labels) for i in range(len(dense))] == counts[:8]
    batch = memory.densest_batch(exp, dense, 3)
    assert batch.images.shape == (3, 3, 64, 96)
    assert memory.step_memory(exp, batch, torch.device("cpu"), Precision("fp32", "cpu")) == 0
    assert np.isfinite(dense.sizes).all()
