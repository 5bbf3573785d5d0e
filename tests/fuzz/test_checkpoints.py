"""Checkpoints and bundles, changed a little: read and used as a network, or refused."""

from __future__ import annotations

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

import otadet
from otadet.engine.checkpoint import load_checkpoint, save_checkpoint
from otadet.engine.replay_bundle import read_bundle
from otadet.errors import InputError
from otadet.evaluation import OperatingPoint
from otadet.exp import load_exp
from tests.engine.test_checkpoint_schema import training
from tests.fuzz.mutations import changed_bytes, changed_value
from tests.fuzz.oracle import fuzz, watched

pytestmark = pytest.mark.fuzz

_START = 6000
"""Bytes of a file at its beginning that are changed: they hold ``data.pkl``."""

_TENSORS: list[Any] = [
    torch.zeros(0), torch.zeros(3, 3, 3, 3), torch.full((2,), torch.nan), torch.tensor(torch.inf),
    torch.zeros(1).expand(1 << 40), torch.zeros(2, dtype=torch.int8), torch.zeros(2).bool(),
    torch.zeros(4).to_sparse(), torch.zeros(2, device="meta"), torch.zeros(2).half(),
    torch.zeros(2, dtype=torch.complex64), torch.zeros(2, requires_grad=True), torch.Size((1, 2)),
    torch.float16, torch.tensor(1), b"bytes", (1, 2), {1: 2}, {"a", "b"}, 1 + 2j,
]  # fmt: skip


@st.composite
def _trees(draw: DrawFn, content: dict[str, Any]) -> Any:
    """The content with values replaced by others, or by tensors of odd kinds."""
    tree = draw(changed_value(content))
    for _ in range(draw(st.integers(0, 2))):
        of = tree
        for _ in range(draw(st.integers(1, 3))):
            inner = [value for value in of.values() if isinstance(value, dict) and value]
            if not inner or not isinstance(of, dict):
                break
            of = draw(st.sampled_from(inner))
        if of:
            of[draw(st.sampled_from(list(of)))] = draw(st.sampled_from(_TENSORS))
    return tree


def _files(path: Path) -> SearchStrategy[Any]:
    """Trees, and bytes at one of the ends of the file."""
    content = torch.load(path, weights_only=True)
    data = path.read_bytes()
    starts = changed_bytes(data[:_START]).map(lambda start: start + data[_START:])
    ends = changed_bytes(data[-_START:]).map(lambda end: data[:-_START] + end)
    return st.one_of(_trees(content), _trees(content), starts, ends)


def _write(path: Path, file: Any) -> bool:
    """Write a tree or bytes; False for a tree that torch itself does not save."""
    if isinstance(file, bytes):
        path.write_bytes(file)
        return True
    try:
        torch.save(copy.copy(file), path)
    except (RuntimeError, NotImplementedError, RecursionError, OverflowError, ValueError):
        return False
    return True


def test_checkpoints(tmp_path: Path) -> None:
    exp = load_exp(name="yolox_nano", overrides={"test_size": (64, 64)})
    valid = tmp_path / "valid.pth"
    weights = exp.build_model(2).state_dict()
    save_checkpoint(
        valid, experiment="yolox_nano", settings=exp.as_dict(), class_names=("ant", "bee"),
        weights=weights, step=3, metrics={"AP": 0.5}, category_ids=(1, 5),
        operating_point=OperatingPoint(0.4, 0.5), training=training(model=weights),
    )  # fmt: skip
    folder = tmp_path / "folder"
    folder.mkdir()

    def check(file: Any) -> None:
        path = folder / "changed.pth"
        if not _write(path, file):
            return
        with watched(folder, tmp_path / "none"):
            with suppress(InputError):
                load_checkpoint(path)
            with suppress(InputError):
                otadet.load(path, device="cpu")

    fuzz(_files(valid), check, torch.load(valid, weights_only=True))


def _bundle() -> dict[str, Any]:
    """A step of a network of one weight, as a run leaves it."""
    box = torch.tensor([[1.0, 2.0, 30.0, 40.0]])
    target = {"boxes": box, "labels": torch.tensor([0]), "ignore_boxes": torch.zeros(0, 4)}
    return {
        "bundle": 2, "experiment": "quickstart", "exp_file": "exps/quickstart.py",
        "settings": {"lr": 0.1}, "class_names": ["ant", "bee"], "precision": "fp32", "step": 3,
        "progress": 0.1, "what": "loss", "rank": 0, "parts": 1, "weights": {"w": torch.ones(2)},
        "rng": torch.get_rng_state(), "image_ids": [1, 2], "images": torch.zeros(2, 3, 64, 64),
        "targets": [target, target], "assignment": {},
    }  # fmt: skip


def test_bundles(tmp_path: Path) -> None:
    valid = tmp_path / "valid.pth"
    torch.save(_bundle(), valid)
    folder = tmp_path / "folder"
    folder.mkdir()

    def check(file: Any) -> None:
        path = folder / "changed.pth"
        if _write(path, file):
            with watched(folder, tmp_path / "none"), suppress(InputError):
                read_bundle(path)

    fuzz(_files(valid), check, torch.load(valid, weights_only=True))
