"""``tools/eval.py --errors``: what limits AP, by kind of error, and the worst images."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from loguru import logger
from tabulate import tabulate

from otadet.atomic import Replace, atomic_write
from otadet.evaluation import ErrorKind, Evaluator, ImageMatches, error_kinds, operating_points
from otadet.evaluation.resampling import RESAMPLES, ap_interval
from otadet.outputs import OutputFolder
from otadet.texts import indented, one_line

FILE = "errors.json"
_WORST = 10


def report_errors(evaluator: Evaluator, outputs: OutputFolder) -> None:
    """Log the kinds of errors, an interval of AP and the worst images; write ``errors.json``."""
    gts, names, found = evaluator.gts, evaluator.class_names, evaluator.state()
    score = operating_points(gts, names, found).threshold
    kinds = error_kinds(gts, len(names), found, score)
    matches = ImageMatches.of(gts, len(names), found, score)
    low, high = ap_interval(matches.flat)
    worst = _worst(matches, [gt.file_name or f"image {gt.image_id}" for gt in gts])
    logger.info(
        "errors from score {:.3f} on, and what AP50 over all scores would gain without them\n{}",
        score, indented(_table(kinds)),
    )  # fmt: skip
    logger.info("AP in 95 % of {} resamples of the images: {:.3f} to {:.3f}", RESAMPLES, low, high)
    limit = max(kinds, key=lambda kind: kind.lost)
    if limit.lost > 0:
        logger.info("most is lost by {}: {}", limit.name, limit.meaning)
    if worst:
        columns = ("image", "objects", "hits", "false", "missed", "f1")
        lines = [[row[key] for key in columns] for row in worst]
        logger.info(
            "images of the lowest F1\n{}", indented(tabulate(lines, columns, floatfmt=".2f"))
        )
    content = {
        "score": score, "ap_interval": [low, high], "resamples": RESAMPLES,
        "kinds": [{"kind": k.name, "count": k.count, "ap50_lost": k.lost, "meaning": k.meaning}
                  for k in kinds],
        "worst_images": worst,
    }  # fmt: skip
    _write(outputs, content, outputs.atomic)


def _worst(matches: ImageMatches, names: list[str]) -> list[dict[str, Any]]:
    """Return the images of the lowest F1, of equal ones those with the most errors."""
    wrong = matches.missed + matches.false_alarms
    order = np.lexsort((-wrong, matches.f1))[:_WORST]
    return [
        {
            "image": one_line(names[i]), "objects": int(matches.hits[i] + matches.missed[i]),
            "hits": int(matches.hits[i]), "false": int(matches.false_alarms[i]),
            "missed": int(matches.missed[i]), "f1": round(float(matches.f1[i]), 4),
        }
        for i in order.tolist() if wrong[i]
    ]  # fmt: skip


def _table(kinds: tuple[ErrorKind, ...]) -> str:
    rows = [[k.name, k.count, f"{k.lost:.3f}", k.meaning] for k in kinds]
    return str(
        tabulate(
            rows, ("error", "count", "AP50 lost", "meaning"), maxcolwidths=[None, None, None, 40],
            disable_numparse=True,
        )
    )  # fmt: skip


def _write(outputs: OutputFolder, content: dict[str, Any], through: Replace) -> None:
    outputs.path.mkdir(parents=True, exist_ok=True)
    path = outputs.path / FILE
    atomic_write(path, json.dumps(content, indent=2) + "\n", through)
    logger.info("wrote {}", path)
