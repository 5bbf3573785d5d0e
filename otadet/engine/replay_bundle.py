"""A step whose numbers are not finite, as a file that ``tools/replay.py`` takes again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otadet import dist
from otadet.engine.checkpoint import save_file
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.geometry import Geometry
from otadet.models import read_file
from otadet.types import Batch, Predictions, Target

FORMAT = 2
_TYPES: dict[str, type] = {
    "experiment": str, "exp_file": str, "settings": dict, "class_names": list, "precision": str,
    "step": int, "progress": float, "what": str, "rank": int, "parts": int, "image_ids": list,
    "images": Tensor, "targets": list, "weights": dict, "rng": Tensor, "assignment": dict,
}  # fmt: skip
_REPORTED = (
    "requested", "supply", "received", "positives", "candidates", "cost", "no_candidates",
    "marginal_error", "iterations", "converged", "ambiguous", "uncovered", "entropy",
)  # fmt: skip
"""What of an assignment report is kept: numbers for each object and for each image."""


@dataclass(frozen=True, eq=False)
class NonFiniteStep:
    """A step that was not taken.

    Attributes:
        step: its number, 1 for the first.
        batch: what it was to learn from.
        what: ``predictions``, ``loss`` or ``gradient``: the first that was not finite.
        mine: whether it was so in this process; unknown, hence true, for a gradient, which is
            summed over the processes.
    """

    step: int
    batch: Batch
    what: str
    mine: bool = True


@dataclass(frozen=True, eq=False)
class ReplayBundle:
    """What a file holds, on the CPU.

    Attributes:
        path: where it was read.
        experiment: its name.
        exp_file: where its file was.
        settings: at that step, plain values.
        class_names: in the order of the network's outputs.
        precision: of the run, ``fp32``, ``fp16`` or ``bf16``.
        step: 1 for the first.
        progress: share of the run that was over.
        what: as in :class:`NonFiniteStep`.
        rank: of the process.
        parts: pieces that the batch went through the network in.
        batch: pictures and objects.
        weights: of the network before the step.
        rng: torch's random state.
        assignment: the assigner's report on the pictures ``image_ids`` whose predictions were
            finite; tuples hold one tensor an image.
    """

    path: Path
    experiment: str
    exp_file: str
    settings: dict[str, Any]
    class_names: tuple[str, ...]
    precision: str
    step: int
    progress: float
    what: str
    rank: int
    parts: int
    batch: Batch
    weights: dict[str, Tensor]
    rng: Tensor
    assignment: dict[str, Any]


def write_bundle(
    folder: Path, fault: NonFiniteStep, exp: BaseExp, names: tuple[str, ...], state: TrainState,
    precision: Precision, progress: float,
) -> Path:  # fmt: skip
    """Write the file and return its path; ``progress`` is the share of the run before the step.

    To be called before the weights change; the random state is kept for networks that draw.
    """
    path = folder / "faults" / f"step_{fault.step:07d}_rank_{dist.rank()}.pth"
    batch = fault.batch
    content = {
        "bundle": FORMAT,
        "experiment": exp.name,
        "exp_file": exp.file,
        "settings": exp.as_dict(),
        "class_names": list(names),
        "precision": precision.name,
        "step": fault.step,
        "progress": progress,
        "what": fault.what,
        "rank": dist.rank(),
        "parts": exp.accumulate,
        "image_ids": list(batch.image_ids),
        "images": batch.images.cpu(),
        "targets": [
            {"boxes": t.boxes.cpu(), "labels": t.labels.cpu(), "ignore_boxes": t.ignore_boxes.cpu()}
            for t in batch.targets
        ],
        "weights": state.model.state_dict(),
        "rng": torch.get_rng_state(),
        "assignment": _assignment(batch, exp, state.model, precision),
    }
    save_file(path, content)
    return path


def read_bundle(path: Path) -> ReplayBundle:
    """Read a file of :func:`write_bundle`; nothing in it is executed.

    Raises:
        InputError: where it is missing or no such file.
    """
    content = read_file(path, "bundle")
    if not isinstance(content, dict) or content.get("bundle") != FORMAT:
        kind = "a checkpoint" if isinstance(content, dict) and "weights" in content else "no bundle"
        raise InputError(
            f"bundle {path}: expected a file that a run left in faults/ (format {FORMAT}), "
            f"got {kind}"
        )
    for name, wanted in _TYPES.items():
        if not isinstance(content.get(name), wanted):
            raise InputError(
                f"bundle {path}: damaged, expected {name} to be {wanted.__name__}, "
                f"got {type(content.get(name)).__name__}"
            )
    targets = tuple(_target(path, row) for row in content["targets"])
    images: Tensor = content["images"]
    height, width = images.shape[-2:]
    whole = (Geometry.identity((height, width)),) * len(targets)
    same = (
        "experiment", "exp_file", "settings", "precision", "step", "progress", "what", "rank",
        "parts", "weights", "rng", "assignment",
    )  # fmt: skip
    return ReplayBundle(
        path=path,
        class_names=tuple(content["class_names"]),
        batch=Batch(images, targets, whole, tuple(content["image_ids"])),
        **{name: content[name] for name in same},
    )


def _target(path: Path, row: object) -> Target:
    names = ("boxes", "labels", "ignore_boxes")
    parts = [row.get(n) if isinstance(row, dict) else None for n in names]
    if not all(isinstance(p, Tensor) for p in parts):
        raise InputError(f"bundle {path}: damaged, expected targets with {', '.join(names)}")
    return Target(*parts)  # type: ignore[arg-type]


def _assignment(
    batch: Batch, exp: BaseExp, model: nn.Module, precision: Precision
) -> dict[str, Any]:  # fmt: skip
    """The assigner's reasons, for the images whose predictions are finite.

    In the parts of the run's steps, since the whole batch may not fit into memory.
    """
    assigner = exp.build_assigner()
    image_ids: list[int] = []
    numbers: dict[str, list[Tensor | list[Tensor]]] = {name: [] for name in _REPORTED}
    kept = [b.clone() for b in model.buffers()]  # the forward pass moves BatchNorm's statistics
    try:
        for piece in batch.split(exp.accumulate):
            with torch.no_grad(), precision.autocast():
                predictions: Predictions = model(piece.images).dense
            good = finite_images(predictions).nonzero().flatten()
            chosen = good.tolist()
            if not chosen:
                continue
            report = assigner.explain(
                _of_images(predictions, good), [piece.targets[i] for i in chosen]
            )
            image_ids += [piece.image_ids[i] for i in chosen]
            for name, values in numbers.items():
                values.append(_plain(getattr(report, name)))
    finally:
        with torch.no_grad():
            for buffer, value in zip(model.buffers(), kept):
                buffer.copy_(value)
    if not image_ids:
        return {"image_ids": []}
    return {"image_ids": image_ids, **{name: _joined(parts) for name, parts in numbers.items()}}


def _joined(parts: list[Tensor | list[Tensor]]) -> Tensor | list[Tensor]:
    """Put together what parts of a batch say, one value or one tensor an image."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if tensors:
        return torch.cat(tensors)
    return [value for part in parts for value in part]


def finite_images(predictions: Predictions) -> Tensor:
    """Return ``[B]`` bool: whether every number of an image's predictions is finite."""
    finite = [t.detach().isfinite().flatten(1).all(dim=1) for t in predictions.tensors()]
    return torch.stack(finite).all(dim=0)


def _of_images(predictions: Predictions, images: Tensor) -> Predictions:
    quality = predictions.quality_logits
    return replace(
        predictions,
        boxes=predictions.boxes[images],
        cls_logits=predictions.cls_logits[images],
        quality_logits=None if quality is None else quality[images],
        deltas=predictions.deltas[images],
    )


def _plain(value: Tensor | tuple[Tensor, ...]) -> Tensor | list[Tensor]:
    """On the CPU and free of inference mode, so that it can be stored."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    return [v.detach().cpu().clone() for v in value]
