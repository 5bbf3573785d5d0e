"""Selection of experiment, weights and output folder, shared by the commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loguru import logger

from otadet.engine.checkpoint import Checkpoint, load_checkpoint
from otadet.engine.launch import launched_externally
from otadet.engine.run_directory import EPOCHS, is_run
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from otadet.exp import BaseExp, load_class, load_named
from otadet.models import PUBLISHED


def select_experiment(
    args: argparse.Namespace,
    checkpoint: Checkpoint | None = None,
    options: Callable[[BaseExp], dict[str, Any]] | None = None,
) -> BaseExp | None:
    """Build the experiment of the command line; ``None`` after ``--help-settings``.

    A checkpoint's settings are the defaults, and its experiment is used where neither ``-f`` nor
    ``-n`` names one. ``options`` maps a command's own options to settings.
    """
    if checkpoint is not None and args.exp_file is None and args.name is None:
        cls = experiment_of(checkpoint)
    else:
        cls = load_class(args.exp_file, args.name)
    if checkpoint is not None and checkpoint.experiment != cls.name:
        logger.warning(
            "{} was trained as {}; its settings are applied to {}",
            checkpoint.path, checkpoint.experiment, cls.name,
        )  # fmt: skip
    saved = checkpoint.settings if checkpoint else {}
    given = cls.parse(args.overrides)
    if options is not None:  # they depend on these settings, and others may depend on them
        first = {k: v for k, v in given.items() if k in ("resize", "test_size", "score_threshold")}
        given = {**given, **options(cls(saved, **first))}
    exp = cls(saved, **given)
    if args.help_settings:
        print(exp.listing())  # noqa: T201 - its output
        return None
    if not launched_externally():  # else every process would log it
        for notice in exp.notices():
            logger.warning(notice)
    return exp


def experiment_of(checkpoint: Checkpoint) -> type[BaseExp]:
    """Load the experiment that a checkpoint names, see :func:`~otadet.exp.load_named`."""
    path = checkpoint.path
    return load_named(checkpoint.experiment, f"checkpoint {path}", path.parent)


def output_folder(path: str | None, name: str) -> Path:
    """Return ``-o``, or ``runs/<experiment>``.

    Raises:
        InputError: it is a file, or a link that leads to nothing.
    """
    folder = Path(path) if path else Path("runs") / name
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output folder {folder}: is a file")
    if folder.is_symlink() and not folder.exists():
        raise InputError(f"output folder {folder}: is a link that leads to nothing")
    return folder


def results_folder(path: str | None, kind: str, checkpoint: Checkpoint, name: str) -> Path:
    """Return the folder for results of ``kind``.

    That is ``-o``, or the folder ``kind`` in the run directory where the checkpoint lies, or in
    ``runs/<experiment>`` where it lies elsewhere.

    Raises:
        InputError: it is a file.
    """
    beside = checkpoint.path.parent
    beside = beside.parent if beside.name == EPOCHS else beside
    run = beside if is_run(beside) else Path("runs") / name
    return output_folder(path or str(run / kind), name)


def find_checkpoint(args: argparse.Namespace) -> Checkpoint:
    """Load the weights of ``-c``, of the named experiment's run, or published ones.

    Raises:
        InputError: there are none.
    """
    named = args.exp_file is not None or args.name is not None
    if args.help_settings and named:
        select_experiment(args)
        sys.exit(0)
    if not named:
        if not args.checkpoint:
            raise InputError("give a checkpoint with -c, or name an experiment with -n or -f")
        return open_weights(args.checkpoint)
    exp = load_class(args.exp_file, args.name)
    if args.checkpoint:
        return open_weights(args.checkpoint, exp)
    trained = Path("runs") / exp.name / "best.pth"
    if trained.exists():
        logger.info("weights: {}", trained)
        return load_checkpoint(trained)
    if exp.name not in PUBLISHED:
        raise InputError(
            f"{trained} does not exist, and no weights are published for {exp.name}; give a "
            f"checkpoint with -c, or train one: python tools/train.py -n {exp.name} data_dir=...; "
            f"weights are published for {', '.join(PUBLISHED)}"
        )
    checkpoint = open_weights(exp.name, exp)
    logger.info("published weights: {}", checkpoint.path)
    return checkpoint
