"""Replay bundle: a non-finite step as a file for ``tools/replay.py``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otadet import dist
from otadet.engine.checkpoint import save_file
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.geometry import Geometry
from otadet.models import read_file
from otadet.types import Batch, Target

FORMAT = 2
_FIELDS: dict[str, type] = {
    "experiment": str, "exp_file": str, "settings": dict, "class_names": list, "precision": str,
    "step": int, "progress": float, "what": str, "rank": int, "parts": int, "weights": dict,
    "rng": Tensor,
}  # fmt: skip
_BATCH: dict[str, type] = {"image_ids": list, "images": Tensor, "targets": list}
_TARGET = ("boxes", "labels", "ignore_boxes")


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
        "targets": [{k: getattr(t, k).cpu() for k in _TARGET} for t in step.batch.targets],
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
    if not isinstance(content, dict) or content.get("bundle") != FORMAT:
        kind = "a checkpoint" if isinstance(content, dict) and "weights" in content else "no bundle"
        raise InputError(
            f"bundle {path}: expected a file that a run left in faults/ (format {FORMAT}), "
            f"got {kind}"
        )
    for name, wanted in {**_FIELDS, **_BATCH}.items():
        if not isinstance(content.get(name), wanted):
            raise InputError(
                f"bundle {path}: damaged, expected {name} to be {wanted.__name__}, "
                f"got {type(content.get(name)).__name__}"
            )
    targets = tuple(_target(path, entry) for entry in content["targets"])
    images: Tensor = content["images"]
    height, width = images.shape[-2:]
    geometries = (Geometry.identity((height, width)),) * len(targets)
    batch = Batch(images, targets, geometries, tuple(content["image_ids"]))
    return ReplayBundle(path=path, batch=batch, **{name: content[name] for name in _FIELDS})


def _target(path: Path, entry: object) -> Target:
    parts = [entry.get(name) if isinstance(entry, dict) else None for name in _TARGET]
    if not all(isinstance(part, Tensor) for part in parts):
        raise InputError(f"bundle {path}: damaged, expected targets with {', '.join(_TARGET)}")
    return Target(*parts)  # type: ignore[arg-type]
