"""The networks that ``inspect`` shows: untrained, or of one or several checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from loguru import logger

from otadet.engine.checkpoint import Checkpoint, load_weights
from otadet.engine.partial_load import load_partial
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor
from otadet.engine.run_directory import EPOCHS
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.rng import seed_all


class Network(NamedTuple):
    """A network and its label on the page."""

    label: str
    predictor: Predictor


def open_checkpoints(sources: Sequence[str], exp: type[BaseExp] | None) -> list[Checkpoint]:
    """Open the checkpoints of ``-c``, of a run directory all; by step.

    Args:
        sources: files, names of published weights, or run directories.
        exp: whose network foreign weights belong to.

    Raises:
        InputError: one cannot be read, or they are of different experiments or classes.
    """
    files = [file for source in sources for file in _files(source)]
    found = [open_weights(file, exp) for file in files]
    first = found[0]
    for each in found[1:]:
        if (each.experiment, each.class_names) != (first.experiment, first.class_names):
            raise InputError(
                f"-c {each.path}: expected the experiment and classes of {first.path}, "
                f"{first.experiment} with {len(first.class_names)} classes; got {each.experiment} "
                f"with {len(each.class_names)}"
            )
    return sorted(_distinct(found), key=lambda each: each.step)


def _files(source: str) -> list[str]:
    folder = Path(source)
    if not folder.is_dir():
        return [source]
    files = sorted((folder / EPOCHS).glob("*.pth"))
    files += [folder / name for name in ("last.pth", "best.pth") if (folder / name).is_file()]
    if not files:
        raise InputError(f"-c {folder}: no checkpoint in this folder, nor in {EPOCHS}/ in it")
    return [str(file) for file in files]


def _distinct(found: Sequence[Checkpoint]) -> list[Checkpoint]:
    """One of each step; files that know no step, as foreign ones, all."""
    steps = {each.step: each for each in reversed(found)}
    return [each for each in found if each.step == 0 or steps[each.step] is each]


def build_networks(
    exp: BaseExp,
    checkpoints: Sequence[Checkpoint],
    class_names: tuple[str, ...],
    device: torch.device,
) -> list[Network]:
    """Build the network of each checkpoint, or without any the untrained one.

    Where the data have classes that the checkpoints lack, the network is that with which
    fine-tuning starts: their classes' outputs are untrained.
    """
    if not checkpoints:
        return [Network("untrained", _predictor(exp, None, class_names, device))]
    known = checkpoints[0].class_names
    new = [name for name in class_names if name not in known]
    if new:
        logger.info(
            "{}: no class is called {}: as fine-tuning starts, the outputs of its classes are "
            "untrained", checkpoints[0].path, ", ".join(new[:3]),
        )  # fmt: skip
    names = class_names if new else known
    end = ", its classes untrained" if new else ""
    return [
        Network(_label(each) + end, _predictor(exp, each, names, device)) for each in checkpoints
    ]


def _label(checkpoint: Checkpoint) -> str:
    return f"step {checkpoint.step:,}" if checkpoint.step else checkpoint.path.stem


def _predictor(
    exp: BaseExp, checkpoint: Checkpoint | None, names: tuple[str, ...], device: torch.device
) -> Predictor:
    seed_all(exp.seed)
    model = exp.build_model(len(names))
    if checkpoint is not None and names == checkpoint.class_names:
        load_weights(model, checkpoint)
    elif checkpoint is not None:
        load_partial(model, checkpoint, names)
    precision = choose_precision(None, device.type, auto=False)
    return Predictor.from_model(model, exp, names, device, precision)
