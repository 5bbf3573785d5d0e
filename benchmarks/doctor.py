"""How long ``tools/doctor.py`` takes for 100,000 generated annotations, part by part.

    python benchmarks/doctor.py
    python benchmarks/doctor.py --annotations 1000000 --pictures 50000

The annotations are written once as a COCO file, with empty files for the images, which are
never opened: this is the quick part, whose cost grows with the annotations. Rivals:
``pycocotools.coco.COCO`` on the same file, which only loads and checks nothing, and
otadet's own reader. One thread, CPU time, the best of several rounds. Prints a table and
writes ``benchmarks/results/doctor_cpu.json`` with versions, machine and date.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pycocotools.coco import COCO
from tabulate import tabulate

from otadet.data import CocoDataset, ReadOptions
from otadet.data.formats import read_records
from otadet.data.image_sizes import with_sizes
from otadet.doctor import DoctorConfig, check_dataset
from otadet.doctor.check_boxes import check_boxes
from otadet.doctor.crowding import measure_crowding
from otadet.doctor.objects import usable_objects
from otadet.doctor.overlaps import find_overlaps
from otadet.doctor.statistics import compute_statistics
from otadet.exp import load_class

RESULTS = Path(__file__).parent / "results"


def write_data(root: Path, annotations: int, images: int) -> None:
    """Boxes of random sizes and places, 80 classes."""
    rng = np.random.default_rng(0)
    (root / "annotations").mkdir()
    (root / "images").mkdir()
    corner = rng.uniform(0, 560, (annotations, 2)) * (1, 0.75)
    boxes = np.concatenate([corner, rng.uniform(8, 79, (annotations, 2)) * (1, 0.75)], axis=1)
    image = np.sort(rng.integers(0, images, annotations))
    document = {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480}
            for i in range(images)
        ],
        "categories": [{"id": i, "name": f"class {i}"} for i in range(80)],
        "annotations": [
            {"id": i, "image_id": int(image[i]), "category_id": i % 80, "iscrowd": 0,
             "bbox": boxes[i].round(2).tolist(), "area": float(boxes[i, 2] * boxes[i, 3])}
            for i in range(annotations)
        ],
    }  # fmt: skip
    (root / "annotations" / "train.json").write_text(json.dumps(document), encoding="utf-8")
    for i in range(images):
        (root / "images" / f"{i}.jpg").touch()


def best(call: Callable[[], object], rounds: int) -> float:
    """CPU time of the fastest call, seconds."""
    times: list[float] = []
    for _ in range(rounds):
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            call()
        times.append(time.process_time() - start)
    return min(times)


def measure(root: Path, rounds: int) -> list[tuple[str, float]]:
    """Seconds by part."""
    cls = load_class(None, "ota_fcos_r18")
    config = DoctorConfig.of(cls(data_dir=str(root), input_size=(640, 640)))
    alone = replace(config, absent={})
    place = config.places["train"]
    records, _ = with_sizes(read_records(place, ReadOptions()))
    objects = usable_objects(records)
    pairs = find_overlaps(objects)
    file = str(place.annotations)
    parts: list[tuple[str, Callable[[], object]]] = [
        (
            "records of the file (JSON, ids, classes, values)",
            lambda: read_records(place, ReadOptions()),
        ),
        ("overlapping pairs", lambda: find_overlaps(usable_objects(records))),
        ("checks of boxes", lambda: check_boxes(records, objects, pairs, config)),
        (
            "numbers without crowding",
            lambda: compute_statistics(records, objects, pairs, config, False),
        ),
        ("contested points of 500 images", lambda: measure_crowding(records, objects, config)),
        ("all that train.py runs", lambda: check_dataset(alone, quick=True, crowds=False)),
        ("all of --quick", lambda: check_dataset(alone, quick=True)),
        ("otadet's reader", lambda: CocoDataset(root, "annotations/train.json", "images")),
        ("pycocotools COCO(), loads only", lambda: COCO(file)),
    ]
    return [(name, best(call, rounds)) for name, call in parts]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--annotations", type=int, default=100_000)
    p.add_argument("--pictures", type=int, default=5_000)
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), args.annotations, args.pictures)
        rows = measure(Path(folder), args.rounds)
    print(tabulate(rows, headers=["part", "seconds"], floatfmt=".2f"))
    result: dict[str, Any] = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "threads": 1},
        "versions": {name: version(name) for name in ("torch", "numpy", "pycocotools")},
        "annotations": args.annotations,
        "pictures": args.pictures,
        "seconds": {name: round(seconds, 3) for name, seconds in rows},
    }
    path = RESULTS / "doctor_cpu.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
