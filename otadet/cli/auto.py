"""``otadet train my/data``: the folder as the first word, and settings derived from it."""

from __future__ import annotations

import argparse
from pathlib import Path

from otadet.auto import Derived, derive
from otadet.engine.devices import Devices
from otadet.engine.launch import launched_externally
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.texts import one_line

NAME = "auto"
"""The experiment of a command that names data and none."""


def take_data(args: argparse.Namespace) -> None:
    """Turn a path that is the first word into ``data_dir``; without an experiment, name auto.

    Raises:
        InputError: the word is neither a setting nor a path that exists.
    """
    if not args.overrides or "=" in args.overrides[0]:
        return
    word, *rest = args.overrides
    named = args.exp_file is not None or args.name is not None
    try:
        there = Path(word).exists()
    except OSError:  # a name that is too long
        there = False
    if not there and named:
        return  # a setting, its value follows
    if not there:
        raise InputError(
            f"{one_line(word)}: expected a folder of images and annotations, or their file; there "
            "is none of this name"
        )
    args.overrides = [f"data_dir={word}", *rest]
    if not named:
        args.name = NAME


def derived_settings(
    args: argparse.Namespace, exp: BaseExp, devices: Devices, weights: Path | None
) -> Derived:
    """Derive what the command line does not give.

    Raises:
        InputError: several processes would each derive their own.
    """
    if launched_externally() or args.num_machines > 1:
        raise InputError(
            f"{exp.name}: derives settings in one process; start it without a launcher "
            "(-d 8 for 8 GPUs), or train another experiment with the settings of its log"
        )
    given = set(exp.parse(args.overrides))
    if args.batch_size is not None:
        given.add("batch_size")
        exp = exp.changed(batch_size=args.batch_size)
    return derive(exp, given, devices, weights, args.precision)
