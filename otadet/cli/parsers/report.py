"""The options of ``tools/report.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import DEVICE_HELP, Parser


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Write report.html of a run anew, also of one that was stopped or is going: "
        "settings, curves, metrics by class, errors, images. What cannot be read is left out.",
        epilog="example:\n  python tools/report.py runs/quickstart",
    )
    p.add_argument("run", metavar="RUN", help="run directory")
    p.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value",
        help="settings to change, as data_dir=my/data where the data have moved",
    )  # fmt: skip
    p.add_argument(
        "-f", "--exp-file", metavar="FILE",
        help="experiment file, where the run's experiment is not one of exps/",
    )  # fmt: skip
    p.add_argument(
        "-d", "--device", metavar="D",
        help=f"where best.pth is evaluated if the run kept no detections: {DEVICE_HELP}",
    )  # fmt: skip
    return p
