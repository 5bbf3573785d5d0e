"""The options of ``tools/inspect_assignment.py``."""

from __future__ import annotations

from typing import get_args

from otadet.choices import Split
from otadet.cli.parsers.base import DEVICE_HELP, Parser, add_experiment_arguments


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Show which anchor points each assigner gives to which object, and why: the "
        "same image and network under several assigners, side by side, as one HTML page.",
        epilog="python tools/inspect_assignment.py -c runs/ota_fcos_r18/best.pth data_dir=my/data",
    )
    add_experiment_arguments(p)
    p.add_argument(
        "-c", "--checkpoint", nargs="+", metavar="FILE",
        help="a checkpoint, several of one network, or a run directory (all its checkpoints; "
        "train --keep-checkpoints N); without it the untrained network of -n or -f",
    )  # fmt: skip
    p.add_argument("-d", "--device", metavar="D", help=DEVICE_HELP)
    p.add_argument(
        "--path", action="append", metavar="IMAGE_OR_FOLDER",
        help="images of a data set, or folders of them; the annotations are those of data_dir, or "
        "are looked for around the images",
    )  # fmt: skip
    p.add_argument(
        "--split", choices=get_args(Split), metavar="SPLIT",
        help="train or val; default: val, with --path both",
    )  # fmt: skip
    p.add_argument(
        "--assigners", metavar="NAMES",
        help="methods, with commas (docs/assignment.md), and own: the experiment's; default: "
        "ota,simota,atss,fcos, and own where it is none of them",
    )  # fmt: skip
    p.add_argument(
        "--images", type=int, default=10, metavar="N",
        help="how many, the most contested ones (default 10)",
    )  # fmt: skip
    p.add_argument(
        "--page", metavar="DIR_OR_FILE",
        help="where the page goes, a folder or an .html file; default: inspect/ in the run "
        "directory, or runs/<experiment>/inspect, unless --json or --png is given",
    )  # fmt: skip
    p.add_argument("--json", metavar="FILE", help="write all values as JSON")
    p.add_argument(
        "--png",
        metavar="DIR",
        help="write the panels of each image as a PNG, as the paper's figure",
    )
    return p
