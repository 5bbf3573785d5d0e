"""Training images a second and core: the mosaic recipe and the plain letterbox.

    python benchmarks/data.py DATA_DIR [DATA_DIR ...]
    python benchmarks/data.py ~/data/bccd --sizes 320 640 --rounds 3

Each folder holds ``annotations/train.json`` and ``images`` in COCO's format. Beside this
repository's pipeline runs that of the ``pixeltable-yolox`` package (``pip install
pixeltable-yolox``), on the same files at the same sizes, in the same process, turn by turn: first
with every image decoded when it is wanted, then with the decoded images in memory at the
network's size. Both go as far as their own batch on the CPU. One thread, CPU time,
the best of several rounds. Prints a table and writes ``benchmarks/results/data_cpu.json`` with the
versions, the machine and the date.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import random
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tabulate import tabulate
from torch.utils.data import default_collate
from yolox.data import CocoDataset as PackageCoco
from yolox.data import MosaicDetection, TrainTransform

from otadet.data import CocoDataset, Mosaic, cached, collate
from otadet.rng import generator

Row = dict[str, Any]
Batch = Callable[[int], object]
RESULTS = Path(__file__).parent / "results"
BATCH = 8
SCALE = (0.1, 2.0)  # of YOLOX-S to X


def ours(folder: Path, size: int, mosaic: bool, memory: bool) -> Batch:
    """Batch number ``step`` of this repository."""
    dataset = cached(
        CocoDataset(folder, "annotations/train.json", "images"),
        "memory" if memory else "none", longest=size, progress=False,
    )  # fmt: skip
    draw = Mosaic((size, size), p=float(mosaic), scale=SCALE)

    def batch(step: int) -> object:
        images = _images(step, len(dataset))
        return collate(
            [draw(dataset, image, generator(0, step, slot)) for slot, image in enumerate(images)]
        )

    return batch


def theirs(folder: Path, size: int, mosaic: bool, memory: bool) -> Batch:
    """The same of the package, with YOLOX's recipe."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        inner = PackageCoco(
            str(folder), "train.json", "images", (size, size),
            cache=memory, cache_type="ram",
        )  # fmt: skip
    dataset = MosaicDetection(
        inner, (size, size), mosaic=mosaic, preproc=TrainTransform(max_labels=120),
        mosaic_scale=SCALE,
    )  # fmt: skip

    def batch(step: int) -> object:
        return default_collate([dataset[image] for image in _images(step, len(inner))])

    return batch


def rates(pipelines: list[Batch], batches: int, rounds: int) -> list[float]:
    """Images a second of CPU time of each, the best of the rounds, taken in turns."""
    best = [0.0] * len(pipelines)
    for batch in pipelines:
        batch(0)
    for turn in range(rounds):
        for i, batch in enumerate(pipelines):
            random.seed(turn)
            np.random.seed(turn)  # noqa: NPY002 - what the package draws from
            start = time.process_time()
            for step in range(turn * batches, (turn + 1) * batches):
                batch(step)
            best[i] = max(best[i], batches * BATCH / (time.process_time() - start))
    return best


def table(folders: list[Path], sizes: list[int], batches: int, rounds: int) -> list[Row]:
    """One row a folder, recipe, size and place of the images."""
    rows: list[Row] = []
    for folder in folders:
        for mosaic in (True, False):
            for memory in (False, True):
                for size in sizes:
                    pair = [make(folder, size, mosaic, memory) for make in (ours, theirs)]
                    own, other = rates(pair, batches, rounds)
                    rows.append({
                        "data": folder.name, "recipe": "mosaic" if mosaic else "letterbox",
                        "pictures": "in memory" if memory else "decoded", "px": size,
                        "otadet /s": own, "package /s": other, "times": own / other,
                    })  # fmt: skip
    return rows


def _images(step: int, count: int) -> list[int]:
    return [(step * BATCH + slot) * 7 % count for slot in range(BATCH)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_dir", type=Path, nargs="+", help="folders in COCO's format")
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 416, 640], help="pixels")
    parser.add_argument("--batches", type=int, default=8, help=f"of {BATCH} images, a round")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts")
    parser.add_argument("--output", type=Path, help="folder of the JSON file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    rows = table(args.data_dir, args.sizes, args.batches, args.rounds)
    print(tabulate(rows, headers="keys", floatfmt=".4g"))
    record = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "threads": 1, "load": os.getloadavg()[0], "batch": BATCH, "scale": SCALE,
        "python": platform.python_version(), "torch": torch.__version__,
        "opencv": cv2.__version__, "numpy": np.__version__,
        "pixeltable-yolox": version("pixeltable-yolox"), "rows": rows,
    }  # fmt: skip
    folder = args.output or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data_cpu.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
