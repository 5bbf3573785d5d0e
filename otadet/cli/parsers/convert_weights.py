"""The options of ``tools/convert_weights.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import Parser, add_experiment_arguments


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Convert official YOLOX weights, torchvision's FCOS-R50 or a run's last.pth to "
        "a checkpoint without training state. Without -n and -f the experiment is recognised by "
        "the weights.",
        epilog="example:\n  python tools/convert_weights.py -c yolox_s.pth",
    )
    add_experiment_arguments(p)
    p.add_argument(
        "-c", "--checkpoint", required=True, metavar="FILE",
        help="a file, or the name of published weights as yolox_s",
    )  # fmt: skip
    p.add_argument(
        "-o", "--output", metavar="FILE", help="default: runs/<experiment>/converted.pth"
    )
    p.add_argument(
        "--classes", metavar="NAMES",
        help="comma-separated, in the network's order; default: COCO's, for 80 classes",
    )  # fmt: skip
    return p
