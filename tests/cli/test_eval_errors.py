"""``tools/eval.py --errors``."""

import json
from pathlib import Path

import pytest

from otadet.cli.eval import main as evaluate
from tests.export.networks import checkpoint


def test_errors_of_an_evaluation(tmp_path: Path) -> None:
    weights = checkpoint(tmp_path)
    words = ["-c", str(weights), "-d", "cpu", "-o", str(tmp_path / "out"), "--errors"]
    words += [
        "shapes_classes=circle,square,star",
        "shapes_val=12",
        "test_size=96,96",
        "max_detections=300",
    ]
    assert evaluate(words) == 0
    found = json.loads((tmp_path / "out/errors.json").read_text(encoding="utf-8"))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    low, high = found["ap_interval"]
    assert low <= metrics["AP"] <= high
    kinds = {row["kind"]: row for row in found["kinds"]}
    assert list(kinds) == ["class", "location", "both", "duplicate", "background", "missed"]
    assert sum(row["count"] for row in found["kinds"]) > 0
    # The numbers of every image add up, and the worst come first.
    rows = found["worst_images"]
    assert 0 < len(rows) <= 10 and [r["f1"] for r in rows] == sorted(r["f1"] for r in rows)
    for row in rows:
        assert row["hits"] + row["missed"] == row["objects"]
        wrong = row["false"] + row["missed"]
        assert row["f1"] == pytest.approx(2 * row["hits"] / (2 * row["hits"] + wrong), abs=1e-3)
