"""AP of detections in COCO's result format, by ``pycocotools`` alone, whoever made them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from measure import Row
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from otadet.evaluation.saved import load_evaluation


def average_precision(annotations: Path, found: list[Row], cap: int) -> dict[str, float]:
    """AP and AP50 of detections.

    Args:
        annotations: COCO JSON of the images.
        found: rows ``image_id``, ``category_id``, ``bbox`` (left, top, width, height in pixels of
            the original image) and ``score``.
        cap: limit on the detections of an image and class; COCO's is 100.
    """
    if not found:
        return {"AP": 0.0, "AP50": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        truth.dataset.setdefault("info", {})  # loadRes copies it
        evaluator = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluator.params.maxDets = [cap]
        evaluator.evaluate()
        evaluator.accumulate()
    precision = evaluator.eval["precision"][..., 0, -1]  # IoU, recall, class; all sizes
    defined = [values[values > -1] for values in (precision, precision[0])]
    return dict(zip(("AP", "AP50"), (float(values.mean()) for values in defined)))


def rows_of_evaluation(file: Path, annotations: Path) -> list[Row]:
    """Detections of ``tools/eval.py --save-detections`` in COCO's result format."""
    categories = json.loads(annotations.read_text(encoding="utf-8"))["categories"]
    ids = {category["name"]: category["id"] for category in categories}
    saved = load_evaluation(file)
    found = saved.detections
    images = [i for i, count in zip(found.image_ids, found.counts) for _ in range(count)]
    return [
        {
            "image_id": int(image), "category_id": ids[saved.class_names[label]],
            "bbox": [*map(float, box[:2]), *map(float, box[2:] - box[:2])], "score": float(score),
        }
        for image, box, score, label in zip(images, found.boxes, found.scores, found.labels)
    ]  # fmt: skip
