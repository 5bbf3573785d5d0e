"""Metadata of an exported file, with which a program without otadet can use it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from onnx import ModelProto

import otadet
from otadet.choices import DEFAULT_SCORE
from otadet.data.transforms import PAD
from otadet.export.options import MULTIPLE, ExportOptions
from otadet.models import Detector
from otadet.postprocess import Postprocess

FORMAT = 1
"""Version of the metadata; the entry ``otadet_export`` tells our files from others."""


def metadata(
    *,
    class_names: Sequence[str],
    strides: Sequence[int],
    options: ExportOptions,
    postprocess: Postprocess,
    experiment: str,
    settings: dict[str, Any],
    score: float = DEFAULT_SCORE,
    category_ids: Sequence[int] | None = None,
) -> dict[str, str]:
    """Make the metadata of a file; every value is JSON.

    Args:
        class_names: in the order of the network's outputs.
        strides: of the levels in the order of their points in the output, finest first.
        options: form of the file.
        postprocess: the thresholds and the score rule.
        experiment: its name.
        settings: every setting of the run, plain values.
        score: default threshold of a program that uses the file, usually above that of
            ``postprocess``.
        category_ids: the training set's own id of each class; left out where there are none.
    """
    rule = options.rule
    values: dict[str, Any] = {
        "otadet_export": FORMAT,
        "otadet_version": otadet.__version__,
        "class_names": list(class_names),
        **({} if category_ids is None else {"category_ids": list(category_ids)}),
        "input": {
            "type": "uint8" if options.uint8 else "float32",
            "range": [0, 255],
            "color_order": "RGB",
            "layout": "NCHW",
            "size": list(options.size),
            "dynamic": options.dynamic,
            "multiple": MULTIPLE,
        },
        "resize": {
            "rule": rule.kind,
            "size": list(rule.size),
            "interpolation": "bilinear",
            "place": "top left",
            "padding": PAD,
        },
        "output": "detections" if options.nms else "points",
        "strides": list(strides),
        "score_rule": postprocess.score_rule,
        "point_labels": postprocess.point_labels,
        "thresholds": {
            "score": postprocess.score_threshold,
            "default_score": score,
            "nms": postprocess.nms_threshold,
            "max_detections": postprocess.max_detections,
            "candidates": postprocess.candidates,
        },
        "experiment": experiment,
        "settings": settings,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def write_metadata(model: ModelProto, entries: dict[str, str]) -> None:
    """Replace the metadata of a graph."""
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)


@torch.no_grad()
def strides_of(model: Detector) -> list[int]:
    """Return the strides of a detector's levels, finest first."""
    grid = model(torch.zeros((1, 3, 128, 128))).points.grid or ()
    return [level.stride for level in grid]
