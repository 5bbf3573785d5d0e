"""What the commands share: choosing the experiment, and ending with one clear line."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from loguru import logger

from otadet.engine.checkpoint import Checkpoint, load_checkpoint
from otadet.engine.failure import ending
from otadet.engine.launch import joined
from otadet.engine.weights import open_weights
from otadet.engine.writers import setup_logging
from otadet.errors import InputError
from otadet.exp import Exp, known_here, list_experiments, load_class
from otadet.media import IMAGE_ENDINGS
from otadet.models import PUBLISHED

CHECKPOINT_HELP = (
    "a checkpoint, official YOLOX weights, torchvision's FCOS, or the name of published weights "
    "as yolox_s; default: runs/<experiment>/best.pth, then the published ones"
)


def run_main(main: Callable[[Sequence[str] | None], int]) -> NoReturn:
    """Run a command; wrong input ends it with one line and exit code 2, what else is known to end
    runs with one line and 1, and anything else with its traceback, in the run's log too, and 1."""
    setup_logging()
    try:
        code = main(None)
        sys.stdout.flush()
    except KeyboardInterrupt:
        logger.warning("stopped by Ctrl-C")
        code = 128 + signal.SIGINT
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            sys.exit(128 + signal.SIGPIPE)
        known = ending(error)
        code = 1 if known is None else known[0]
        logger.error("{}", traceback.format_exc() if known is None else known[1])
    sys.exit(code)


def _reader_is_gone() -> bool:
    """Whether what reads the output has ended, as ``| head`` does; then nothing more is written."""
    look = select.poll()
    look.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in look.poll(0)):
        return False
    # Else Python writes the rest at its end and complains.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """``-f``, ``-n``, the trailing overrides and ``--help-settings``."""
    group = parser.add_argument_group("experiment (give one of -f and -n)")
    group.add_argument("-f", "--exp-file", metavar="FILE", help="experiment file, see exps/")
    names = ", ".join(sorted(list_experiments()))
    group.add_argument("-n", "--name", metavar="NAME", help=f"experiment by name: {names}")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],  # else argparse calls it required when another word is missing
        metavar="key=value",
        help="settings to change, for example max_epochs=50 data_dir=my/data",
    )
    parser.add_argument(
        "--help-settings",
        action="store_true",
        help="list every setting with its value and meaning, and end",
    )


def chosen_exp(
    args: argparse.Namespace,
    checkpoint: Checkpoint | None = None,
    options: Callable[[Exp], dict[str, Any]] | None = None,
) -> Exp | None:
    """The experiment of the command line; ``None`` after ``--help-settings`` has been answered.

    With a checkpoint, its settings come first and its experiment is taken where neither ``-f``
    nor ``-n`` names one. ``options`` says what a command's own options change in it.
    """
    name = args.name
    if checkpoint is not None and args.exp_file is None and name is None:
        name = checkpoint.experiment
    if name is not None and checkpoint is not None and args.name is None:
        known_here(name, f"checkpoint {checkpoint.path}")
    cls = load_class(args.exp_file, name)
    if checkpoint is not None and checkpoint.experiment != cls.name:
        logger.warning(
            "{} is of {}; its settings are taken over to {}",
            checkpoint.path, checkpoint.experiment, cls.name,
        )  # fmt: skip
    settings = cls.from_dict(checkpoint.settings) if checkpoint else {}
    settings = {**settings, **cls.parse(args.overrides)}
    exp = cls(**settings)
    if options is not None:
        exp = cls(**{**settings, **options(exp)})
    if args.help_settings:
        print(exp.listing())  # noqa: T201 - its output
        return None
    if not joined():  # else every process would say it
        for notice in exp.notices():
            logger.warning(notice)
    return exp


def output_folder(path: str | None, name: str) -> Path:
    """``-o``, or ``runs/<experiment>``.

    Raises:
        InputError: where that is a file.
    """
    folder = Path(path) if path else Path("runs") / name
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output folder {folder}: is a file")
    return folder


def find_checkpoint(args: argparse.Namespace) -> Checkpoint:
    """The weights of ``-c``, or those that training the named experiment left, or published ones.

    Raises:
        InputError: where there are none; says what to do.
    """
    named = args.exp_file is not None or args.name is not None
    if args.help_settings and named:
        chosen_exp(args)
        sys.exit(0)
    if not named:
        if not args.checkpoint:
            raise InputError("give a checkpoint with -c, or name an experiment with -n or -f")
        return open_weights(args.checkpoint)
    cls = load_class(args.exp_file, args.name)
    exp = cls(**cls.parse(args.overrides))
    if args.checkpoint:
        return open_weights(args.checkpoint, exp)
    trained = Path("runs") / exp.name / "best.pth"
    if trained.exists():
        logger.info("taking {}", trained)
        return load_checkpoint(trained)
    if exp.name not in PUBLISHED:
        raise InputError(
            f"no weights are published for {exp.name}, and {trained} does not exist; give a "
            f"checkpoint with -c, or train one: python tools/train.py -n {exp.name} data_dir=...; "
            f"weights are published for {', '.join(PUBLISHED)}"
        )
    checkpoint = open_weights(exp.name, exp)
    logger.info("taking the published weights {}", checkpoint.path)
    return checkpoint


def pictures_in(path: Path, option: str) -> list[Path]:
    """The picture at ``path``, or the pictures in that folder in the order of their names.

    Raises:
        InputError: where there are none; ``option`` is how the message calls the path.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{option} {path}: no such file or folder")
    found = sorted(
        p
        for p in path.iterdir()
        if p.suffix.lower() in IMAGE_ENDINGS and not p.name.startswith(".")
    )
    if not found:
        raise InputError(f"{option} {path}: no picture in this folder ({', '.join(IMAGE_ENDINGS)})")
    return found
