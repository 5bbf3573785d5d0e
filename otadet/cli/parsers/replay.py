"""The options of ``tools/replay.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import Parser


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Take a step whose numbers were not finite again, on the processor, in the "
        "run's precision and in float64, and name the first tensor that is not finite.",
        epilog="python tools/replay.py runs/quickstart/faults/step_0000120_rank_0.pth",
    )
    p.add_argument("bundle", metavar="BUNDLE", help="file that the run left in its folder faults/")
    p.add_argument(
        "-f", "--exp-file", metavar="FILE",
        help="experiment file; default: the one of that name in exps/ (a bundle runs no code)",
    )  # fmt: skip
    return p
