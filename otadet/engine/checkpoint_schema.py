"""What a checkpoint may hold: types, ranges, sizes, finite numbers, checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, get_args

import torch
from torch import Tensor

from otadet.engine.plan import SCHEMA as PLAN
from otadet.engine.precision import PrecisionName
from otadet.models import tensor, weights
from otadet.provenance import SCHEMA as PROVENANCE
from otadet.schema import (
    CLASS_NAMES,
    EXPERIMENT,
    MOST,
    SETTINGS,
    any_number,
    fault,
    faults_of,
    listed,
    number,
    one_of,
    optional,
    plain,
    record,
    table,
    text,
    whole,
)

FORMAT = 1
_STEPS = 10**12
_TENSOR, _PLAIN = tensor(), plain()


def _state(value: Any, place: str) -> Iterator[str]:
    """An entry of an optimizer's state."""
    return (_TENSOR if isinstance(value, Tensor) else _PLAIN)(value, place)


def _best(value: Any, place: str) -> Iterator[str]:
    """A metric to be exceeded; nothing exceeds NaN."""
    yield from any_number(value, place)
    if isinstance(value, float) and math.isnan(value):
        yield fault(place, "a number", value)


PRECISION = one_of(*get_args(PrecisionName))
RANDOM_STATE = tensor((torch.uint8,), tuple(torch.get_rng_state().shape))

_OPTIMIZER = record({
    "state": table(table(_state), key=whole(0)),
    "param_groups": listed(record({"params": listed(whole(0))}), least=1),
})  # fmt: skip
_SCALER = record({}, {
    "scale": number(1e-30), "growth_factor": number(1, 1000), "backoff_factor": number(1e-3, 1),
    "growth_interval": whole(1), "_growth_tracker": whole(0),
})  # fmt: skip
_DATA = record({
    "images": whole(0), "objects": whole(0), "names": text(100), "annotations": text(100),
})  # fmt: skip
_TRAINING = record({}, {
    "model": weights(),
    "optimizer": _OPTIMIZER,
    "scaler": _SCALER,
    "best": _best,
    "best_step": whole(0, _STEPS),
    "stale": whole(0, _STEPS),
    "evaluation_due": one_of(True, False),
    "faults_in_a_row": whole(0, _STEPS),
    "rng": listed(RANDOM_STATE, least=1),
    "gpu_rng": listed(tensor((torch.uint8,), (None,))),
    "steps": whole(1, _STEPS),
    "batch_size": whole(1, MOST),
    "precision": PRECISION,
    "run_id": text(),
    "plan": PLAN,
    "data": table(_DATA),
})  # fmt: skip
_REQUIRED = {
    "format": whole(1, FORMAT),
    "experiment": EXPERIMENT,
    "settings": SETTINGS,
    "class_names": CLASS_NAMES,
    "weights": weights(),
    "step": whole(0, _STEPS),
    "metrics": table(any_number),
}
_CHECKPOINT = record(_REQUIRED, {
    "category_ids": optional(listed(whole())),
    "operating_point": optional(record({"score": number(0, 1), "f1": number(1e-9, 1)})),
    "provenance": optional(PROVENANCE),
    "training": _TRAINING,
})  # fmt: skip
KEYS = _REQUIRED.keys()
"""Entries that every checkpoint has."""


def checkpoint_faults(content: dict[str, Any]) -> Iterator[str]:
    """Yield all that is wrong with the content of a checkpoint file."""
    return faults_of(_CHECKPOINT, content, _related)


def _related(content: dict[str, Any]) -> Iterator[str]:
    names, ids = content["class_names"], content.get("category_ids")
    if ids is not None and len(set(ids)) != len(names):
        yield f"category_ids: expected {len(names)} different integers, one a class, got {ids}"
    steps = content.get("training", {}).get("steps", _STEPS)
    if content["step"] > steps:
        yield f"step: expected at most {steps}, the steps of the run, got {content['step']}"
