"""Whether a run can go on from a checkpoint: checked as a whole before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from loguru import logger
from torch import Tensor

from otadet.data import Fingerprint
from otadet.engine.checkpoint import Checkpoint
from otadet.errors import InputError
from otadet.schema import fault, refuse

_PARTS = ("model", "optimizer", "scaler", "best", "stale", "rng")
HOW = ("foreach", "fused", "capturable", "differentiable")
"""Options that say how an optimizer computes, not what: those of today are taken."""
_ADAM = ("step", "exp_avg", "exp_avg_sq")


def check_parts(checkpoint: Checkpoint) -> None:
    """Check that a checkpoint has all parts that resuming needs.

    Raises:
        InputError: it holds weights only, or parts are missing.
    """
    where, training = f"--resume: {checkpoint.path}", checkpoint.training
    if not training:
        raise InputError(f"{where} holds weights only, no training state")
    refuse((f"training.{name}: missing" for name in _PARTS if name not in training), where)


def check_optimizer(saved: dict[str, Any], optimizer: torch.optim.Optimizer, where: str) -> None:
    """Check that an optimizer's saved state fits the optimizer.

    Raises:
        InputError: it has other parameters, options of another type, or entries of other shapes.
    """
    own = optimizer.param_groups
    sizes = [[len(group["params"]) for group in groups] for groups in (saved["param_groups"], own)]
    if sizes[0] != sizes[1]:
        raise InputError(f"{where}: expected groups of {sizes[1]} parameters, got {sizes[0]}")
    refuse(_options(saved, optimizer), where)
    refuse(_entries(saved, optimizer), where)


def _options(saved: dict[str, Any], optimizer: torch.optim.Optimizer) -> Iterator[str]:
    for index, (theirs, own) in enumerate(zip(saved["param_groups"], optimizer.param_groups)):
        for name in own.keys() & theirs.keys() - {"params", *HOW}:
            value, wanted = theirs[name], own[name]
            same = (
                value == wanted if wanted is None or type(wanted) is bool else _alike(value, wanted)
            )
            if not same:
                yield fault(f"param_groups[{index}].{name}", f"one like {wanted!r}", value)


def _alike(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return (
            isinstance(value, (tuple, list))
            and len(value) == len(wanted)
            and all(map(_alike, value, wanted))
        )
    if isinstance(wanted, (int, float)):
        return type(value) in (int, float)
    return True


def _entries(saved: dict[str, Any], optimizer: torch.optim.Optimizer) -> Iterator[str]:
    """Entries of each parameter's state: tensors of its shape, or single numbers."""
    ids = [index for group in saved["param_groups"] for index in group["params"]]
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    parameters = dict(zip(ids, own))
    if len(parameters) != len(own):
        yield "param_groups: a parameter comes twice"
    for index, entries in saved["state"].items():
        place = f"state[{index}]"
        if index not in parameters:
            yield f"{place}: no such parameter"
            continue
        shape = parameters[index].shape
        for name, value in entries.items():
            if isinstance(value, Tensor) and value.numel() != 1 and value.shape != shape:
                yield f"{place}.{name}: expected the shape {list(shape)}, got {list(value.shape)}"
        if isinstance(optimizer, torch.optim.Adam) and not entries.keys() >= set(_ADAM):
            names = ", ".join(map(str, entries)) or "none"
            yield f"{place}: expected {', '.join(_ADAM)}, got {names}"
        elif isinstance(optimizer, torch.optim.Adam):
            if not 0 <= float(entries["step"]) <= 1e12:
                yield f"{place}.step: expected at least 0, got {float(entries['step']):g}"
            if bool((torch.as_tensor(entries["exp_avg_sq"]) < 0).any()):
                yield f"{place}.exp_avg_sq: expected averages of squares of at least 0"


def check_random_state(state: Tensor, where: str) -> None:
    """Check that torch takes a random state.

    Raises:
        InputError: it does not.
    """
    try:
        torch.Generator().set_state(state)
    except RuntimeError as error:
        raise InputError(f"{where}: {str(error).splitlines()[0]}") from None


def check_same_data(checkpoint: Checkpoint, data: Mapping[str, Fingerprint]) -> None:
    """Check that a run goes on with the images that it began with; other annotations are warned of.

    Args:
        checkpoint: of the run; older ones do not know their data.
        data: that of today by split.

    Raises:
        InputError: the training images or their order are others, by which steps would differ.
    """
    where, known = f"--resume: {checkpoint.path}", checkpoint.training.get("data", {})
    for split, now in data.items():
        then: Fingerprint = known.get(split, now)
        if then["names"] != now["names"]:
            said = (
                f"the images of {split} are not those that the run began with "
                f"({then['images']:,} then, {now['images']:,} now)"
            )
            if split == "train":
                raise InputError(f"{where}: {said}; start another run from it with -c")
            logger.warning("{}: {}", where, said)
        elif then != now:
            logger.warning(
                "{}: the annotations of {} have changed since the run began ({:,} objects then, "
                "{:,} now)", where, split, then["objects"], now["objects"],
            )  # fmt: skip
