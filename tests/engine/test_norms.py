"""Batches and sizes that BatchNorm cannot be trained with."""

import re
from pathlib import Path

import pytest
import torch

from otadet.cli.train import main as train
from otadet.engine.norms import check_norms
from otadet.engine.stages import Stage
from otadet.errors import InputError
from otadet.exp import load_class
from tests.engine.processes import TINY, pair, quick

SMALL = ["input_size=32,32", "shapes_object=8,20"]
NANO = ["-n", "yolox_nano", "-d", "cpu", "shapes_train=4", "shapes_val=2", "shapes_size=64,64",
        "shapes_object=16,48", "workers=0", "data_dir=none"]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-b", "1", "input_size=32,32", "multiscale=none"],
         r"-b 1 with images of 32 x 32 px: BatchNorm2d backbone.dark5\S+ .* a map of 1 x 1 of one "
         r"image.* take -b 2 or more, or a larger input_size$"),
        (["-b", "1", "input_size=96,96", "multiscale=32,96"],
         r"32 x 32 px.* take -b 2 or more, a larger input_size, or a larger multiscale$"),
        (["-b", "2", "accumulate=2", "input_size=32,32", "multiscale=none"],
         r"-b 2 over accumulate=2 parts .* take -b 4 or more"),
    ],
)  # fmt: skip
def test_one_image_of_one_cell(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        train([*NANO, "-o", str(tmp_path / "run"), *words])
    assert re.search(message, str(error.value).replace("(", "").replace(")", "")), error.value
    assert not (tmp_path / "run").exists()


def test_frozen_norm_is_named_where_it_helps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"backbone.body.layer4\S+ .*, or frozen_norm=true$"):
        train(quick(tmp_path / "run", *SMALL, batch=1))


def test_two_processes_with_one_image_each(tmp_path: Path) -> None:
    words = quick(tmp_path / "run", *SMALL, batch=2)
    words[words.index("cpu")] = "cpu:2"
    with pair(words, tmp_path / "said") as both:
        assert [run.end() for run in both] == [2, 2]
        assert all("-b 2 over 2 processes" in run.last_line() for run in both)
        assert "take -b 4 or more" in both[0].last_line()


def test_looking_changes_nothing() -> None:
    """One image of several cells is fine, and neither statistics nor random numbers move."""
    cls = load_class(name="quickstart")
    exp = cls(**cls.parse(TINY))
    model = exp.build_model(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    numbers = torch.get_rng_state()
    check_norms(model, [Stage(0, exp)], 1)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert torch.equal(numbers, torch.get_rng_state())
    assert all(not m._forward_pre_hooks for m in model.modules())
