"""Metadata of an exported file, with which a program without otadet can use it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

import torch
from onnx import ModelProto

import otadet
from otadet.choices import DEFAULT_SCORE, Dynamic
from otadet.data.image_file import MAX_PIXELS
from otadet.data.transforms import PAD
from otadet.errors import InputError
from otadet.export.options import MULTIPLE, ExportOptions
from otadet.models import Detector
from otadet.postprocess import PointLabels, Postprocess, ScoreRule
from otadet.provenance import SCHEMA as PROVENANCE
from otadet.provenance import Provenance
from otadet.schema import (
    CLASS_NAMES,
    EXPERIMENT,
    SETTINGS,
    faults_of,
    listed,
    number,
    one_of,
    optional,
    plain,
    record,
    refuse,
    shown,
    table,
    whole,
)
from otadet.tiling import Tiling

FORMAT = 1
"""Version of the metadata; the entry ``otadet_export`` tells our files from others."""


_SIZE = listed(whole(1, 1 << 20), 2, 2)
_REQUIRED = {
    "otadet_export": whole(1, FORMAT),
    "class_names": CLASS_NAMES,
    "input": record({
        "type": one_of("uint8", "float32"), "size": _SIZE, "dynamic": one_of(*get_args(Dynamic)),
        "multiple": whole(1, 1024), "color_order": one_of("RGB"),
    }),
    "resize": record({
        "rule": one_of("letterbox", "shortest"), "size": _SIZE, "padding": whole(0, 255),
    }),
    "output": one_of("detections", "points"),
    "strides": listed(whole(1, 1024), 1, 32),
    "score_rule": one_of(*get_args(ScoreRule)),
    "thresholds": record({
        "score": number(0, 1), "nms": number(0, 1), "max_detections": whole(1, 1_000_000),
        "candidates": whole(1, 1_000_000),
    }, {"default_score": number(0, 1)}),
    "experiment": EXPERIMENT,
    "settings": SETTINGS,
}  # fmt: skip
_POSSIBLE = {
    "category_ids": optional(listed(whole())), "point_labels": one_of(*get_args(PointLabels)),
    "quantization": table(plain()), "provenance": PROVENANCE,
    "tiles": record({"size": whole(32, 1 << 20), "overlap": whole(0, 1 << 20),
                     "whole": one_of(True, False)}),
}  # fmt: skip
_METADATA = record(_REQUIRED, _POSSIBLE)


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
    tiling: Tiling | None = None,
    tile_whole: bool = True,
    provenance: Provenance | None = None,
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
        tiling: how a program that uses the file cuts images; ``None`` takes them whole.
        tile_whole: beside the tiles one pass over the whole image.
        provenance: origin and licences of the weights; left out where none is stated.
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
        **({} if tiling is None else {"tiles": {**asdict(tiling), "whole": tile_whole}}),
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
        **({} if provenance is None else {"provenance": asdict(provenance)}),
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


def read_metadata(entries: Mapping[str, str], where: str) -> dict[str, Any]:
    """Read and check the metadata of an exported file; entries of other programs are left out.

    Raises:
        InputError: the file is none of otadet's, or what it says of itself is wrong.
    """
    if "otadet_export" not in entries:
        raise InputError(
            f"{where}: an ONNX file that otadet did not write (no entry 'otadet_export' in its "
            "metadata); expected a file of tools/export.py"
        )
    ours = (_REQUIRED.keys() | _POSSIBLE.keys() | {"otadet_version"}) & entries.keys()
    about = {name: _decoded(entries[name], f"{where}: metadata, {name}") for name in ours}
    version = about["otadet_export"]
    if type(version) is int and version > FORMAT:
        raise InputError(
            f"{where}: metadata of version {shown(version)}, written by otadet "
            f"{shown(about.get('otadet_version'))}; expected at most {FORMAT}"
        )
    refuse(faults_of(_METADATA, about, _related), f"{where}: metadata")
    return about


def _decoded(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: expected JSON, got {shown(text)}") from None


def _related(about: dict[str, Any]) -> Iterator[str]:
    for name in ("input", "resize"):
        if (pixels := math.prod(about[name]["size"])) > MAX_PIXELS:
            yield f"{name}.size: expected at most {MAX_PIXELS:,} pixels, got {pixels:,}"
    tiles = about.get("tiles")
    if tiles is not None and 2 * tiles["overlap"] >= tiles["size"]:
        yield f"tiles.overlap: expected less than half of {tiles['size']}, got {tiles['overlap']}"
    ids, names = about.get("category_ids"), about["class_names"]
    if ids is not None and len(ids) != len(names):
        yield f"category_ids: expected {len(names)}, one a class, got {len(ids)}"
