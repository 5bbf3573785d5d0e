"""The options of ``tools/eval.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import (
    CHECKPOINT_HELP,
    DEVICE_HELP,
    Parser,
    add_csv_guard,
    add_experiment_arguments,
    add_precision_arguments,
)


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Evaluate a checkpoint, or an exported file, on the validation set; writes "
        "metrics.json.",
        epilog="example:\n  python tools/eval.py -c runs/ota_fcos_r18/best.pth",
    )
    add_experiment_arguments(p)
    p.add_argument("-c", "--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    p.add_argument(
        "--onnx", metavar="FILE",
        help="an ONNX file in place of a checkpoint, run by onnxruntime on the CPU",
    )  # fmt: skip
    p.add_argument("-d", "--device", metavar="D", help=DEVICE_HELP)
    p.add_argument("-b", "--batch-size", type=int, default=8, metavar="B", help="default 8")
    p.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="where metrics.json goes; default: eval/ in the run directory of the checkpoint, or "
        "runs/<experiment>/eval; with --onnx runs/<experiment>_onnx",
    )
    add_precision_arguments(p, default="fp32")
    p.add_argument(
        "--fuse", action="store_true", help="fold BatchNorm into the convolutions, as demo does"
    )
    p.add_argument(
        "--plots", action="store_true",
        help="also write plots/: precision-recall, F1 over score, confusion matrix; PNG and CSV",
    )  # fmt: skip
    p.add_argument(
        "--errors", action="store_true",
        help="also say what limits AP: errors by kind (as TIDE), an interval of AP over the "
        "images, the worst images; and write errors.json",
    )  # fmt: skip
    p.add_argument(
        "--save-detections", action="store_true",
        help="also write detections.npz: every detection, with the ground truth",
    )  # fmt: skip
    add_csv_guard(p)
    return p
