"""Runs of ``tools/compare.py`` as rows of a benchmark's table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from measure import Row

ROOT = Path(__file__).parents[1]
COMPARE = ROOT / "tools/compare.py"
CROWD = [
    "data_format=odgt", "train_ann=annotation_train.odgt", "val_ann=annotation_val.odgt",
    "train_images=Images", "val_images=Images", "nms_threshold=0.6", "max_detections=300",
]  # fmt: skip
"""Settings for the set of ``crowd_set.py``."""


def compared(folder: Path, words: Sequence[str], devices: str = "cpu") -> list[Row]:
    """Compare methods in ``folder``, or go on with it; a row a run: method, seed, metrics.

    Args:
        folder: of the comparison; what is finished there is not run again.
        words: of the command.
        devices: that runs are spread over; ``cpu:2`` is two at a time, each on its own core.
    """
    command = [sys.executable, str(COMPARE), "-d", devices, "-o", str(folder), *words]
    done = subprocess.run(command, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)  # it has said why
    result = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    return [
        {
            "method": method["label"],
            "seed": seed,
            **{name: round(each["values"][at], 4) for name, each in method["metrics"].items()},
            "seconds_a_step": round(method["cost"]["seconds a step"]["values"][at], 4),
            "steps": method["steps"],
            "date": result["environment"]["date"],
        }
        for method in result["methods"]
        for at, seed in enumerate(method["seeds"])
    ]
