"""The options of ``tools/compare.py``."""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple

from otadet.cli.parsers.base import Parser, add_experiment_arguments, add_precision_arguments

_EXAMPLES = """examples (`otadet compare` is the same command):
  python tools/compare.py --methods ota simota atss --budget 2000 --data my/data
  python tools/compare.py --exps yolox_nano yolox_tiny --budget 30min --seeds 5
  python tools/compare.py --runs runs/a runs/b -o runs/compare"""


class Budget(NamedTuple):
    """Length of a run in steps or in minutes; the other one is ``None``."""

    steps: int | None
    minutes: float | None

    @staticmethod
    def parse(text: str) -> Budget:
        """Read ``2000`` or ``30min``.

        Raises:
            ArgumentTypeError: it is neither.
        """
        number = text.removesuffix("min")
        try:
            found = Budget(int(text), None) if number == text else Budget(None, float(number))
        except ValueError:
            found = Budget(0, None)
        if not 0 < (found.steps or found.minutes or 0) < math.inf:
            raise argparse.ArgumentTypeError(
                f"expected steps (2000) or minutes (30min), got {text!r}"
            )
        return found


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Compare methods fairly: equal networks, initial weights, images and budget, "
        "several seeds, each run a process of its own; differences with 95 % intervals over "
        "images and seeds. Writes comparison.html, .md and .json. The same command, or -o alone, "
        "goes on after an interruption.",
        epilog=_EXAMPLES,
    )
    _add_compared(p.add_argument_group("what is compared (one of them)"))
    add_experiment_arguments(p)
    _add_same(p.add_argument_group("the same for all runs"))
    _add_device(p.add_argument_group("devices"))
    _add_result(p.add_argument_group("result"))
    return p


def _add_compared(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--methods", nargs="+", metavar="M",
        help="values of the setting method under one experiment (-n; default ota_fcos_r18); "
        "'M key=value' adds settings of its own",
    )  # fmt: skip
    group.add_argument(
        "--exps", nargs="+", metavar="E",
        help="experiments by name or file; 'E key=value' adds settings",
    )  # fmt: skip
    group.add_argument(
        "--runs", nargs="+", metavar="DIR", help="run directories that exist; nothing is trained"
    )
    group.add_argument(
        "--unequal", action="store_true", help="--runs of other lengths or batches too"
    )


def _add_same(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each (default 3)")
    group.add_argument(
        "--budget", type=Budget.parse, metavar="B",
        help="length of every run: steps (2000), or minutes in steps (30min), for which a short "
        "run of each method says how many steps they are",
    )  # fmt: skip
    group.add_argument("--data", metavar="DIR", help="the same as data_dir=DIR")
    group.add_argument("-b", "--batch-size", type=int, metavar="B", help="images a step")
    group.add_argument(
        "-c", "--checkpoint", metavar="FILE", help="start from these weights, as in train"
    )


def _add_device(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-d", "--devices", metavar="D",
        help="one run at a time on each: GPUs as in train, cpu, or cpu:2 for two at a time; "
        "default: all GPUs, else the CPU",
    )  # fmt: skip
    add_precision_arguments(group, default="as in train")


def _add_result(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o", "--output", metavar="DIR", default="runs/compare", help="default: runs/compare"
    )
    group.add_argument(
        "--resamples", type=int, default=1000, metavar="N", help="of the images (default 1000)"
    )
