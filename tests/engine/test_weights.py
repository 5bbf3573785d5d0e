"""Files of every format, and of none, through the one way in."""

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from otadet.cli.convert_weights import main as convert
from otadet.cli.demo import main as demo
from otadet.cli.eval import main as evaluate
from otadet.data.coco_classes import COCO_CLASSES
from otadet.engine.checkpoint import load_checkpoint, save_checkpoint
from otadet.engine.weights import find_file, open_weights
from otadet.errors import InputError
from otadet.exp import load_class, load_exp
from otadet.models import MIRROR, PUBLISHED
from tests.helpers import SHARED, needs_shared

NANO = SHARED / "weights" / "yolox_nano_coco.pth"


def nano_of(classes: int) -> dict[str, Tensor]:
    """Weights of a nano for other classes, under YOLOX's names."""
    state: dict[str, Tensor] = torch.load(NANO, weights_only=True)["model"]
    return {k: v[:classes] if "cls_preds" in k else v for k, v in state.items()}


@needs_shared
def test_yolox_is_recognised_by_its_shapes(tmp_path: Path) -> None:
    checkpoint = open_weights(NANO)
    assert checkpoint.experiment == "yolox_nano" and checkpoint.class_names == COCO_CLASSES
    assert checkpoint.settings["test_size"] == [416, 416] and checkpoint.training == {}
    other = open_weights(NANO, load_class(name="ota_yolox_nano"))
    assert other.experiment == "ota_yolox_nano"

    torch.save(nano_of(3), tmp_path / "three.pth")  # not under "model"
    three = open_weights(tmp_path / "three.pth")
    assert three.experiment == "yolox_nano"
    assert three.class_names == ("class 0", "class 1", "class 2")
    named = open_weights(tmp_path / "three.pth", class_names=("a", "b", "c"))
    assert named.class_names == ("a", "b", "c")

    thin = {k: v[:1] if k == "head.stems.0.conv.weight" else v for k, v in nano_of(80).items()}
    torch.save({"model": thin}, tmp_path / "thin.pth")
    with pytest.raises(InputError, match=r"weights of YOLOX, but of none of yolox_nano.*-n or -f"):
        open_weights(tmp_path / "thin.pth")


@needs_shared
def test_the_trainer_of_yolox_leaves_numbers_of_numpy(tmp_path: Path) -> None:
    content = {"model": nano_of(80), "best_ap": np.float64(0.258), "curr_ap": np.float32(0.25)}
    torch.save(content, tmp_path / "latest_ckpt.pth")
    assert open_weights(tmp_path / "latest_ckpt.pth").experiment == "yolox_nano"


class Harmful:
    """A pickle that would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_files_that_hold_no_weights(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    files = {
        "page.pth": (b"<!DOCTYPE html><html>Not found</html>", "it is a web page"),
        "empty.pth": (b"", "it is empty"),
        "cut.pth": (whole[: len(whole) // 2], "not a checkpoint that can be read"),
        "text.pth": (b"some words", "not a checkpoint that can be read"),
        "code.pth": (pickle.dumps(Harmful(harm)), "torch.save did not write it"),
        "old.pth": (pickle.dumps(Harmful(harm), 2), "it holds getattr, .* nothing in it was run"),
        "other.pth": (
            whole,
            "expected a checkpoint of otadet, official weights of YOLOX .* 'm",
        ),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            open_weights(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)
    torch.save({"model": Harmful(harm)}, tmp_path / "zip.pth")
    with pytest.raises(InputError, match=r"it holds getattr, .* nothing in it was run"):
        open_weights(tmp_path / "zip.pth")
    assert not harm.exists()
    with pytest.raises(
        InputError, match=r"yolox_q: neither .*mean 'yolox_\w+'\? published are yolox_nano, "
    ):
        open_weights("yolox_q")


def test_classes_of_a_checkpoint_and_other_networks(tmp_path: Path) -> None:
    exp = load_exp(name="quickstart")
    state = exp.build_model(3).state_dict()
    save_checkpoint(
        tmp_path / "last.pth", experiment="quickstart", settings=exp.as_dict(), weights=state,
        class_names=("circle", "cross", "square"), step=7, metrics={"AP": 0.5},
        training={"stale": 0},
    )  # fmt: skip
    assert open_weights(tmp_path / "last.pth").class_names[2] == "square"
    words = ["-c", str(tmp_path / "last.pth"), "-o", str(tmp_path / "slim.pth")]
    assert convert([*words, "--classes", "x,y,z"]) == 0
    slim = load_checkpoint(tmp_path / "slim.pth")
    assert slim.class_names == ("x", "y", "z") and slim.step == 7 and slim.training == {}
    with pytest.raises(InputError, match="has 3 classes, 2 names are given"):
        convert([*words, "--classes", "x,y"])
    with pytest.raises(InputError, match=r"the weights of another network: .* unknown"):
        evaluate(["-c", str(tmp_path / "last.pth"), "-d", "cpu", "head_convs=1",
                  "shapes_classes=circle,cross,square"])  # fmt: skip
    with pytest.raises(InputError, match="shapes_classes: expected the network's classes, x, y, z"):
        evaluate(["-c", str(tmp_path / "slim.pth"), "-d", "cpu"])


@needs_shared
def test_published_weights_need_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "yolox_nano.pth").write_bytes(NANO.read_bytes())
    monkeypatch.setenv(MIRROR, mirror.as_uri())
    monkeypatch.setitem(PUBLISHED, "yolox_nano", replace(PUBLISHED["yolox_nano"], sha256=None))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    words = ["image", "-n", "yolox_nano", "--path", str(SHARED / "photos/dog.jpg"), "-d", "cpu"]
    assert demo(words) == 0
    assert (tmp_path / "runs/yolox_nano/demo/dog.jpg").stat().st_size > 0
    assert (tmp_path / "hub/checkpoints/yolox_nano.pth").exists()

    (tmp_path / "runs/yolox_nano/best.pth").write_bytes(b"of a run")  # comes first
    with pytest.raises(InputError, match=r"runs/yolox_nano/best\.pth: not a checkpoint"):
        demo(words)
    assert demo([*words, "-c", "yolox_nano"]) == 0  # said by name

    data = [f"data_dir={SHARED / 'data/bccd'}", "val_ann=annotations/val.json", "val_images=images"]
    with pytest.raises(InputError, match=r"classes .*RBC.* are not among the expected ones"):
        evaluate(["-c", "yolox_nano", "-d", "cpu", *data])
    assert not (tmp_path / "hub/checkpoints/metrics.json").exists()


@needs_shared
def test_evaluation_of_official_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = [f"data_dir={SHARED / 'data/coco256'}", "val_ann=annotations/val.json",
             "val_images=images", "test_size=64,64", "workers=0"]  # fmt: skip
    assert evaluate(["-c", str(NANO), "-o", "out", "-d", "cpu", *words]) == 0
    assert (tmp_path / "out/metrics.json").exists()
    with pytest.raises(InputError, match="num_classes=9, but the data have 80"):
        evaluate(["-c", str(NANO), "-d", "cpu", *words, "num_classes=9"])


def test_weights_that_nobody_publishes() -> None:
    with pytest.raises(InputError, match=r"no weights are published for ota_fcos_r50.*yolox_s"):
        demo(["image", "-n", "ota_r50", "--path", "x.jpg"])


def test_help_on_settings_fetches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        evaluate(["-n", "yolox_x", "--help-settings"])
    assert end.value.code == 0 and "test_size" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("settings", [1], "settings: expected a dictionary, got a list of 1"),
        ("class_names", "ab", "class_names: expected a list, got 'ab'"),
        ("class_names", [1], "class_names[0]: expected text, got 1"),
        ("weights", {"a": 1}, "weights['a']: expected a dense tensor in the memory, got 1"),
        ("format", "1", "format: expected a whole number from 1 to 1, got '1'"),
        ("training", 3, "training: expected a dictionary, got 3"),
        ("format", 99, "written by otadet None in format 99"),
    ],
)
def test_a_checkpoint_from_elsewhere_may_hold_anything(
    tmp_path: Path, name: str, value: object, message: str
) -> None:
    content = {
        "format": 1, "experiment": "quickstart", "settings": {}, "class_names": ["a"],
        "weights": {}, "step": 0, "metrics": {}, "training": {}, name: value,
    }  # fmt: skip
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=re.escape(message)):
        open_weights(tmp_path / "x.pth")


def test_a_misspelt_path_names_what_lies_beside(tmp_path: Path) -> None:
    (tmp_path / "best.pth").touch()
    with pytest.raises(InputError, match=r"bset\.pth: no such file; did you mean 'best\.pth'\?$"):
        find_file(tmp_path / "bset.pth")
    with pytest.raises(InputError, match=r"nothing/best\.pth: no such file$"):
        find_file(tmp_path / "nothing/best.pth")
