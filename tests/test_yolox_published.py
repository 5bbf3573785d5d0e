"""The published weights reach the score that YOLOX's own evaluation gives them."""

import json
from pathlib import Path

import pytest

from otadet.cli.convert_weights import main as convert
from otadet.cli.eval import main as evaluate
from tests.helpers import SHARED, needs_shared


@needs_shared
def test_nano_on_128_pictures_of_coco(tmp_path: Path) -> None:
    """With YOLOX's rules: score above 0.01, NMS at 0.65, a point's best class alone."""
    weights, checkpoint = SHARED / "weights" / "yolox_nano_coco.pth", tmp_path / "nano.pth"
    assert convert(["-n", "yolox_nano", "-c", str(weights), "-o", str(checkpoint)]) == 0
    words = ["-c", str(checkpoint), "-d", "cpu", "-o", str(tmp_path / "eval"), "workers=0",
             f"data_dir={SHARED / 'data' / 'coco256'}", "val_ann=annotations/val.json",
             "val_images=images"]  # fmt: skip
    assert evaluate(words) == 0
    found = json.loads((tmp_path / "eval" / "metrics.json").read_text(encoding="utf-8"))
    assert found["AP"] == pytest.approx(0.338, abs=0.003)
    assert found["AP50"] == pytest.approx(0.493, abs=0.005)
