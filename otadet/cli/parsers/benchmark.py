"""The options of ``tools/benchmark.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import (
    DEVICE_HELP,
    Parser,
    add_experiment_arguments,
    add_precision_arguments,
    add_test_arguments,
)


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Measure latency per batch (median, 95th percentile) and images per second of "
        "reading, resizing, network and postprocess: of a checkpoint, or of random weights, with "
        "which the time of postprocess means little.",
        epilog="example:\n  python tools/benchmark.py -n yolox_nano -d cpu --size 416 --fuse",
    )
    add_experiment_arguments(p)
    p.add_argument(
        "-c", "--checkpoint", metavar="FILE", help="weights; default: random weights of -n"
    )
    p.add_argument("-d", "--device", metavar="D", help=DEVICE_HELP)
    p.add_argument("-b", "--batch-size", type=int, default=1, metavar="B", help="default 1")
    add_precision_arguments(p, default="fp32")
    add_test_arguments(p)
    p.add_argument(
        "--path", action="append", metavar="PATH",
        help="image or folder, or several of them (default: generated, 640x480)",
    )  # fmt: skip
    p.add_argument("--fuse", action="store_true", help="fold BatchNorm into the convolutions")
    p.add_argument("--compile", action="store_true", help="torch.compile the network")
    p.add_argument("--threads", type=int, metavar="N", help="CPU threads of torch and OpenCV")
    p.add_argument("--repeats", type=int, default=50, metavar="N", help="timed batches (50)")
    p.add_argument("--warmup", type=int, default=5, metavar="N", help="batches before them (5)")
    p.add_argument("--save-json", metavar="FILE", help="also write the results as JSON")
    return p
