"""Replay bundle: a non-finite step as a file for ``tools/replay.py``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otadet import dist
from otadet.engine.checkpoint import save_file
from otadet.engine.checkpoint_schema import PRECISION, RANDOM_STATE
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.geometry import Geometry
from otadet.models import clean, read_file, tensor, weights
from otadet.schema import (
    CLASS_NAMES,
    EXPERIMENT,
    MOST,
    SETTINGS,
    faults_of,
    is_dict,
    listed,
    number,
    one_of,
    record,
    refuse,
    text,
    whole,
)
from otadet.types import Batch, Target

FORMAT = 2
_BOXES = tensor((torch.float32,), (None, 4), finite=False)  # they may be what is at fault
_TARGET = record(
    {"boxes": _BOXES, "labels": tensor((torch.int64,), (None,)), "ignore_boxes": _BOXES}
)
_REQUIRED = {
    "experiment": EXPERIMENT, "exp_file": text(), "settings": SETTINGS,
    "class_names": CLASS_NAMES, "precision": PRECISION, "step": whole(0), "progress": number(0, 1),
    "what": one_of("predictions", "loss", "gradient"), "rank": whole(0), "parts": whole(1, MOST),
    "weights": weights(finite=False), "rng": RANDOM_STATE,
}  # fmt: skip
_BUNDLE = record({
    **_REQUIRED, "image_ids": listed(whole(), least=1), "targets": listed(_TARGET),
    "images": tensor((torch.uint8,), (None, 3, None, None)),
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class NonFiniteStep:
    """A step that was skipped.

    Attributes:
        step: its number, 1 for the first.
        batch: its images and targets.
        what: the first that was not finite: ``predictions``, ``loss`` or ``gradient``.
        local: whether it was so in this process; true for a gradient, which is summed over all.
    """

    step: int
    batch: Batch
    what: str
    local: bool = True


@dataclass(frozen=True, eq=False)
class ReplayBundle:
    """Content of a bundle, on the CPU.

    Attributes:
        path: the file.
        experiment: its name.
        exp_file: path of its file during the run.
        settings: at that step, plain values.
        class_names: in the order of the network's outputs.
        precision: of the run, ``fp32``, ``fp16`` or ``bf16``.
        step: 1 for the first.
        progress: share of the run before the step.
        what: as in :class:`NonFiniteStep`.
        rank: of the process.
        parts: gradient accumulation: parts of the batch.
        weights: of the network before the step.
        rng: torch's random state.
        batch: images and targets.
    """

    path: Path
    experiment: str
    exp_file: str
    settings: dict[str, Any]
    class_names: list[str]
    precision: str
    step: int
    progress: float
    what: str
    rank: int
    parts: int
    weights: dict[str, Tensor]
    rng: Tensor
    batch: Batch


def write_bundle(
    folder: Path, step: NonFiniteStep, exp: BaseExp, class_names: tuple[str, ...],
    state: TrainState, precision: Precision, progress: float,
) -> Path:  # fmt: skip
    """Write a bundle to ``folder/faults`` before the weights change, and return its path.

    Args:
        folder: run directory.
        step: the step.
        exp: experiment with the settings of that step.
        class_names: in the order of the network's outputs.
        state: weights before the step.
        precision: of the run.
        progress: share of the run before the step.
    """
    path = folder / "faults" / f"step_{step.step:07d}_rank_{dist.rank()}.pth"
    content = {
        "bundle": FORMAT,
        "experiment": exp.name,
        "exp_file": exp.file,
        "settings": exp.as_dict(),
        "class_names": list(class_names),
        "precision": precision.name,
        "step": step.step,
        "progress": progress,
        "what": step.what,
        "rank": dist.rank(),
        "parts": exp.accumulate,
        "image_ids": list(step.batch.image_ids),
        "images": step.batch.images.cpu(),
        "targets": [
            {k: getattr(t, k).cpu() for k in ("boxes", "labels", "ignore_boxes")}
            for t in step.batch.targets
        ],
        "weights": state.model.state_dict(),
        "rng": torch.get_rng_state(),
        "assignment": {},  # older versions expect it; replay computes it now
    }
    save_file(path, content)
    return path


def read_bundle(path: Path) -> ReplayBundle:
    """Read a bundle without executing anything in it.

    Raises:
        InputError: the file is missing, damaged, or not a bundle.
    """
    content = read_file(path, "bundle")
    if not is_dict(content) or any(one_of(FORMAT)(content.get("bundle"), "")):
        kind = "a checkpoint" if is_dict(content) and "weights" in content else "no bundle"
        raise InputError(
            f"bundle {path}: expected a file that a run left in faults/ (format {FORMAT}), "
            f"got {kind}"
        )
    refuse(faults_of(_BUNDLE, content, _related), f"bundle {path}")
    targets = tuple(
        Target(each["boxes"], each["labels"], each["ignore_boxes"]) for each in content["targets"]
    )
    images: Tensor = content["images"]
    height, width = images.shape[-2:]
    geometries = (Geometry.identity((height, width)),) * len(targets)
    batch = Batch(images, targets, geometries, tuple(content["image_ids"]))
    fields = {name: content[name] for name in _REQUIRED} | {"weights": clean(content["weights"])}
    return ReplayBundle(path=path, batch=batch, **fields)


def _related(content: dict[str, Any]) -> Iterator[str]:
    images, count = content["images"], len(content["image_ids"])
    if not images.numel() or len(images) != count or len(content["targets"]) != count:
        yield (
            f"images: expected one for each of {count} ids and {len(content['targets'])} targets, "
            f"got {list(images.shape)}"
        )
    for index, target in enumerate(content["targets"]):
        labels, names = target["labels"], len(content["class_names"])
        if len(labels) != len(target["boxes"]):
            yield f"targets[{index}]: {len(target['boxes'])} boxes and {len(labels)} labels"
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < names:
            yield f"targets[{index}].labels: expected numbers from 0 to {names - 1}"
