"""OTA and SimOTA give what the official OTA code and YOLOX's head gave on the same inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otadet.assign import OTA, Assigner, SimOTA
from otadet.types import BACKGROUND, Points, Predictions, Target

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"
SCENES = ("single", "plain", "crowd", "one_class")

pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="needs the reference results in ../shared/golden"
)


def load(name: str) -> tuple[Predictions, Target, dict[str, Any]]:
    with np.load(GOLDEN / f"{name}.npz") as stored:
        data = {key: torch.from_numpy(np.asarray(stored[key])) for key in stored.files}
    preds = Predictions(
        boxes=data["boxes"][None],
        cls_logits=data["cls_logits"][None],
        quality_logits=data["quality_logits"][None],
        deltas=torch.zeros_like(data["boxes"][None]),
        points=Points(data["xy"], data["stride"], data["level"]),
    )
    return preds, Target(data["gt_boxes"], data["gt_labels"]), data


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("name", "assigner"), [("ota", OTA()), ("simota", SimOTA())])
def test_agrees_with_the_original(name: str, assigner: Assigner, scene: str) -> None:
    preds, target, data = load(f"{name}_{scene}")
    got = assigner(preds, [target])
    same = got.gt_index[0] == data["gt_index"]
    positive = data["gt_index"] != BACKGROUND
    assert same.float().mean() >= 0.999
    assert same[positive].float().mean() >= 0.99
    both = same & positive
    torch.testing.assert_close(got.iou[0][both], data["iou"][both], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scene", SCENES)
def test_supply_and_ambiguity_of_the_original(scene: str) -> None:
    preds, target, data = load(f"ota_{scene}")
    report = OTA().explain(preds, [target])
    assert torch.equal(report.supply[0].long(), data["supply"])
    assert int(report.ambiguous[0]) == int(data["ambiguous"])
