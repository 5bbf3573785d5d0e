"""The options of ``tools/train.py``."""

from __future__ import annotations

import argparse
import textwrap

from otadet.choices import HANG_TIMEOUT, HANG_TIMEOUT_DISTRIBUTED
from otadet.cli.parsers.base import Parser, add_experiment_arguments, add_precision_arguments
from otadet.experiments import list_experiments

_EXAMPLES = """examples (`otadet train` is the same command):
  python tools/train.py my/data --minutes 10  derives the settings
  python tools/train.py -n quickstart
  python tools/train.py -n finetune_nano -c yolox_nano data_dir=my/data
  python tools/train.py -f exps/ota_fcos_r50.py -d 8 -b 16 --fp16"""


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    names = textwrap.fill(
        ", ".join(sorted(list_experiments())), 78, initial_indent="  ", subsequent_indent="  "
    )
    p = Parser(
        prog,
        description="Train an experiment. Everything it writes goes to runs/<experiment>/.",
        epilog=f"experiments:\n{names}\n\n{_EXAMPLES}",
    )
    add_experiment_arguments(p)
    _add_run(p.add_argument_group("run"))
    _add_device(p.add_argument_group("devices"))
    _add_processes(p.add_argument_group("long runs and several machines"))
    return p


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o", "--output", metavar="DIR", help="run directory; default: runs/<experiment>"
    )
    group.add_argument(
        "-c", "--checkpoint", metavar="FILE",
        help="start from these weights (fine-tuning): a checkpoint, official YOLOX weights, "
        "torchvision's FCOS, or the name of published ones as yolox_s or ota_nano_cells",
    )  # fmt: skip
    group.add_argument(
        "--list-layers", action="store_true", help="list the network's layers and exit"
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue from last.pth of the run in -o, "
        "or of the experiment; with -c: start from -c where there is none yet",
    )
    group.add_argument(
        "--minutes", type=float, metavar="M",
        help="length of the run, start, evaluations and report included; the same as minutes=M",
    )  # fmt: skip
    group.add_argument("--seed", type=int, metavar="N", help="the same as seed=N")
    group.add_argument(
        "--log", default="jsonl,csv,tensorboard", metavar="NAMES",
        help="metric loggers: some of jsonl, csv, tensorboard, wandb, mlflow; "
        "default: %(default)s (tensorboard where it is installed)",
    )  # fmt: skip
    group.add_argument(
        "--keep-checkpoints", type=int, default=0, metavar="N",
        help="keep the weights of the last N epochs in epochs/, for inspect (default 0)",
    )  # fmt: skip


def _add_device(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-d", "--devices", metavar="D",
        help="number of GPUs (8), a list of GPUs (0,2; one GPU: 0, with a comma), cpu, cpu:2 "
        "for two processes, or mps; default: one GPU if there is one",
    )  # fmt: skip
    group.add_argument(
        "-b", "--batch-size", type=int, metavar="B",
        help="images per step over all devices; default: the setting batch_size",
    )  # fmt: skip
    add_precision_arguments(group, default="bf16 for quick runs on CPUs made for it, else fp32")
    group.add_argument("--compile", action="store_true", help="let torch compile the network")
    group.add_argument(
        "--deterministic", action="store_true",
        help="use only deterministic operations, also on GPUs (slower)",
    )  # fmt: skip
    group.add_argument("--profile", action="store_true", help="trace steps 11 to 20 to profile/")


def _add_processes(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--hang-timeout", type=float, metavar="SECONDS",
        help="end the run after so long without progress; default: "
        f"{HANG_TIMEOUT:.0f}, with several processes {HANG_TIMEOUT_DISTRIBUTED:.0f}; 0 never",
    )  # fmt: skip
    group.add_argument(
        "--max-restarts", type=int, default=0, metavar="N",
        help="restart the processes from last.pth up to N times when one of several fails",
    )  # fmt: skip
    group.add_argument(
        "--num-machines", type=int, default=1, metavar="N", help="machines of the run"
    )
    group.add_argument("--machine-rank", type=int, default=0, metavar="R", help="0 is the first")
    group.add_argument(
        "--dist-url", default="localhost:0", metavar="HOST:PORT", help="of machine 0"
    )
