"""The promise of `make quickstart`; minutes, so `make test-slow`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_quickstart_learns(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/train.py", "-n", "quickstart", "-d", "cpu", "-o", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["AP50"] >= 0.85
    assert len(list((tmp_path / "pictures").glob("val_*.jpg"))) == 6
    assert list((tmp_path / "pictures").glob("assignment_*.jpg"))
    assert (tmp_path / "curves.png").exists()
