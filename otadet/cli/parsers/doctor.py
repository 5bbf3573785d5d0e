"""The options of ``tools/doctor.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import Parser, add_experiment_arguments
from otadet.cores import usable_cores


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Check a data set before training, in any format: every fault at once, "
        "with the file and the annotation, and how crowded it is.",
        epilog="example:\n  python tools/doctor.py data_dir=my/data --page runs/doctor\n\n"
        "exit code: 0 the data can be trained on, 1 there are errors, 2 wrong usage",
    )
    add_experiment_arguments(p)
    p.add_argument(
        "--quick", action="store_true",
        help="open no image (only headers, where the annotations state no sizes)",
    )  # fmt: skip
    p.add_argument(
        "--workers", type=int, default=min(8, usable_cores()), metavar="N",
        help="threads that decode images",
    )  # fmt: skip
    p.add_argument("--json", metavar="FILE", help="write everything as JSON too")
    p.add_argument(
        "--page", metavar="DIR",
        help="write DIR/index.html: images of every finding with their boxes, and histograms",
    )  # fmt: skip
    return p
