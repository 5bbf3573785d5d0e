"""Bundles from elsewhere: all that is wrong in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch

from otadet.engine.replay_bundle import read_bundle
from otadet.errors import InputError
from tests.engine.test_checkpoint_schema import NAN, parameter


def target(**changes: object) -> dict[str, Any]:
    return {"boxes": torch.ones(2, 4), "labels": torch.tensor([0, 1]),
            "ignore_boxes": torch.ones(0, 4), **changes}  # fmt: skip


def content(**changes: object) -> dict[str, Any]:
    """A sound bundle but for ``changes``."""
    return {
        "bundle": 2, "experiment": "quickstart", "exp_file": "exps/quickstart.py",
        "settings": {"lr": 0.1}, "class_names": ["a", "b"], "precision": "fp32", "step": 3,
        "progress": 0.5, "what": "loss", "rank": 0, "parts": 1, "image_ids": [7],
        "images": torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "targets": [target()],
        "weights": {"w": torch.tensor([1.0, NAN])}, "rng": torch.get_rng_state(),
        "assignment": {}, **changes,
    }  # fmt: skip


def test_what_is_sound_is_read(tmp_path: Path) -> None:
    """Boxes and weights may be what was not finite."""
    odd = {"w": parameter(numel=3), "v": torch.tensor(NAN)}
    torch.save(
        content(weights=odd, targets=[target(boxes=torch.full((2, 4), NAN))]), tmp_path / "x"
    )
    bundle = read_bundle(tmp_path / "x")
    assert bundle.batch.targets[0].boxes.isnan().all() and bundle.batch.image_ids == (7,)
    assert bundle.weights["w"].numel() == 6 and bundle.step == 3


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "no step": ({"step": None}, "step: expected a whole number of at least 0, got None"),
    "settings": ({"settings": ["lr"]}, "settings: expected a dictionary, got a list of 1"),
    "experiment": ({"experiment": "../x"}, "experiment: expected the name of an experiment"),
    "file": ({"exp_file": 3}, "exp_file: expected text, got 3"),
    "what": ({"what": "x"}, "what: expected one of predictions, loss, gradient, got 'x'"),
    "progress": ({"progress": 7.0}, "progress: expected a number from 0 to 1, got 7.0"),
    "progress NaN": ({"progress": NAN}, "progress: .* got nan"),
    "parts": ({"parts": 0}, "parts: .* got 0"),
    "vast parts": ({"parts": 10**12}, "parts: .* got 1000000000000"),
    "precision": ({"precision": "fp8"}, "precision: .* got 'fp8'"),
    "random state": ({"rng": torch.zeros(3, dtype=torch.uint8)}, r"rng: expected the shape \[5056"),
    "random state of floats": ({"rng": torch.zeros(5056)}, "rng: .* uint8, got float32"),
    "weights": ({"weights": {"w": 3}}, r"weights\['w'\]: expected a dense tensor .* got 3"),
    "weights meta": ({"weights": {"w": torch.ones(1, device="meta")}}, "device meta"),
    "images float": ({"images": torch.zeros(1, 3, 8, 8)}, "images: .* uint8, got float32"),
    "images grey": (
        {"images": torch.zeros(1, 1, 8, 8, dtype=torch.uint8)}, r"\[any, 3, any, any\], got \[1",
    ),
    "empty images": (
        {"images": torch.zeros(1, 3, 0, 8, dtype=torch.uint8)}, r"got \[1, 3, 0, 8\]",
    ),
    "no image": (
        {"images": torch.zeros(0, 3, 8, 8, dtype=torch.uint8), "image_ids": [], "targets": []},
        "image_ids: expected 1 to",
    ),
    "ids": ({"image_ids": [1, 2]}, "images: expected one for each of 2 ids and 1 targets"),
    "ids of text": ({"image_ids": ["7"]}, r"image_ids\[0\]: .* got '7'"),
    "targets": ({"targets": [7]}, r"targets\[0\]: expected a dictionary, got 7"),
    "target": ({"targets": [{"boxes": 1}]}, r"\[0\].boxes: .*; targets\[0\].labels: missing"),
    "boxes": ({"targets": [target(boxes=torch.ones(2, 5))]}, r"\[any, 4\], got \[2, 5\]"),
    "labels": ({"targets": [target(labels=torch.ones(2))]}, "labels: .* int64, got float32"),
    "label of no class": (
        {"targets": [target(labels=torch.tensor([0, 2]))]}, r"labels: expected numbers from 0 to 1",
    ),
    "negative label": (
        {"targets": [target(labels=torch.tensor([-1, 0]))]}, r"labels: expected numbers from 0",
    ),
    "fewer labels": ({"targets": [target(labels=torch.tensor([0]))]}, "2 boxes and 1 labels"),
    "format 3": ({"bundle": 3}, r"expected a file that a run left in faults/ .*got a checkpoint"),
    "format text": ({"bundle": torch.ones(2)}, "expected a file that a run left in faults/"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str) -> None:
    change, message = FAULTS[name]
    torch.save(content(**change), tmp_path / "x.pth")
    with pytest.raises(InputError, match=message) as caught:
        read_bundle(tmp_path / "x.pth")
    said = str(caught.value)
    assert (
        said.startswith(f"bundle {tmp_path / 'x.pth'}: ") and "\n" not in said and len(said) < 600
    )
