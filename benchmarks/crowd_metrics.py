"""Time of the metrics for 5,000 images of 300 detections and 25 objects.

    python benchmarks/crowd_metrics.py              # a minute or two, one thread
    python benchmarks/crowd_metrics.py --pictures 500

The rival of CrowdHuman's matching and of VOC's AP is the slow implementation of the tests, box
after box in plain Python, on 20 images and scaled up; its JI tries every matching, which does not
end here. Prints a table and writes ``benchmarks/results/crowd_metrics_cpu.json``. CPU time,
best of two.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measure import RESULTS, Row, environment, show, write_results

from otadet.evaluation import DetectionColumns, Evaluation, MeasureFunction, operating_points
from otadet.evaluation.coco import coco
from otadet.evaluation.crowdhuman import crowdhuman, match_caltech
from otadet.evaluation.crowding import crowding
from otadet.evaluation.flat import Flat
from otadet.evaluation.matching import rank_classes
from otadet.evaluation.voc import voc07
from otadet.types import GroundTruth

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.evaluation import slow_crowd as slow

OBJECTS, DETECTIONS, SIZE = 25, 300, 1100
RIVAL_PICTURES = 20


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 900, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(30, 200, (count, 2))], axis=1)


def make(images: int) -> tuple[list[GroundTruth], DetectionColumns]:
    """Half of the detections lie about objects, six about each; two ignore regions an image."""
    rng = np.random.default_rng(0)
    gts, found = [], []
    for number in range(images):
        objects = boxes(rng, OBJECTS).astype(np.float32)
        gts.append(
            GroundTruth(number, "", (SIZE, SIZE), objects, np.zeros(OBJECTS, np.int64),
                  boxes(rng, 2).astype(np.float32), np.full(OBJECTS, 1e4))
        )  # fmt: skip
        near = objects.repeat(DETECTIONS // 2 // OBJECTS, axis=0)
        near = near + rng.normal(0, 5, near.shape)
        found.append(np.concatenate([near, boxes(rng, DETECTIONS - len(near))]))
    count = images * DETECTIONS
    return gts, DetectionColumns(
        image_ids=np.arange(images),
        counts=np.full(images, DETECTIONS),
        boxes=np.concatenate(found).astype(np.float32),
        scores=rng.random(count).astype(np.float32) ** 2,
        labels=np.zeros(count, np.int64),
    )


def scenes(gts: list[GroundTruth], columns: DetectionColumns) -> list[slow.Scene]:
    rows = [[tuple(box) for box in t.boxes.astype(float).tolist()] for t in gts]
    regions = [[tuple(box) for box in t.ignore_boxes.astype(float).tolist()] for t in gts]
    found = list(zip(map(tuple, columns.boxes.astype(float).tolist()), columns.scores.tolist()))
    return [
        slow.Scene(a, b, found[i * DETECTIONS : (i + 1) * DETECTIONS])
        for i, (a, b) in enumerate(zip(rows, regions))
    ]


def seconds(call: Callable[[], object], repeats: int = 2) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def matching(
    gts: Sequence[GroundTruth], class_names: Sequence[str], columns: DetectionColumns
) -> Evaluation:
    flat = Flat.of(gts, len(class_names), columns)
    _, hit = match_caltech(flat)
    rank_classes(flat, hit, hit | (flat.inside <= 0.5))
    return Evaluation({}, ())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--output", type=Path, default=RESULTS / "crowd_metrics_cpu.json")
    args = parser.parse_args()
    gts, columns = make(args.pictures)
    few, few_columns = make(RIVAL_PICTURES)
    slow_scenes = scenes(few, few_columns)
    scale = args.pictures / RIVAL_PICTURES
    voc_loops = seconds(lambda: slow.voc(slow_scenes, eleven_points=True), 1) * scale
    miss_loops = seconds(lambda: slow.caltech(slow_scenes), 1) * scale
    measures: list[tuple[str, MeasureFunction, float | None]] = [
        ("CrowdHuman's matching", matching, miss_loops),
        ("CrowdHuman: MR, AP, JI, recall", crowdhuman, None),
        ("VOC 2007", voc07, voc_loops),
        ("COCO by crowding", crowding, None),
        ("COCO, hotcoco or pycocotools", coco(), None),
    ]
    rows: list[Row] = []
    for name, measure, loops in measures:
        mine = seconds(lambda measure=measure: measure(gts, ("person",), columns))
        times = loops / mine if loops else None
        rows.append({"metrics": name, "s": mine, "loops s": loops, "times": times})
    mine = seconds(lambda: operating_points(gts, ("person",), columns))
    rows.append({"metrics": "curves and confusions", "s": mine, "loops s": None, "times": None})
    show(f"{args.pictures} images, {DETECTIONS} detections and {OBJECTS} objects each", rows)
    record = {**environment("cpu"), "pictures": args.pictures, "rival pictures": RIVAL_PICTURES}
    write_results(args.output, record, {"metrics": rows})


if __name__ == "__main__":
    main()
