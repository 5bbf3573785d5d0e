"""The options of ``tools/replay.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import Parser


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Repeat a non-finite training step on the CPU, in the run's precision and in "
        "float64, and name the first non-finite tensor.",
        epilog="example:\n  python tools/replay.py runs/quickstart/faults/step_0000120_rank_0.pth",
    )
    p.add_argument("bundle", metavar="BUNDLE", help="a file of faults/ in the run directory")
    p.add_argument(
        "-f", "--exp-file", metavar="FILE",
        help="experiment file; default: the built-in one of that name (a bundle runs no code)",
    )  # fmt: skip
    return p
