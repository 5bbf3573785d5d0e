"""``otadet``: the commands of ``tools/`` where only the package is installed."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import otadet
from otadet.errors import InputError
from otadet.texts import nearest

COMMANDS = {
    "train": ("train", "train an experiment"),
    "doctor": ("doctor", "check a data set before training"),
    "report": ("report", "write the page of a run anew, also of one that is going"),
    "eval": ("eval", "evaluate a checkpoint or an exported file"),
    "inspect": ("inspect", "show which points each assigner gives to which object, and why"),
    "compare": ("compare", "compare methods by equal runs, with intervals"),
    "demo": ("demo", "draw detections in images, videos, a webcam or a stream"),
    "export": ("export", "write a checkpoint as ONNX, TorchScript or torch.export"),
    "convert": ("convert_weights", "turn official YOLOX weights into a checkpoint"),
    "convert-data": ("convert_dataset", "write a data set in another format"),
    "get-data": ("get_data", "download a public data set, verify it and unpack it"),
    "benchmark": ("benchmark", "measure latency and throughput, stage by stage"),
    "replay": ("replay", "find the first non-finite tensor of a step"),
}
"""Module in ``otadet.cli`` and a line of help, by command."""

_TOOLS = {
    "convert-weights": "convert",
    "convert-dataset": "convert-data",
    "export-onnx": "export",
    "inspect-assignment": "inspect",
}
"""Commands by the names that their scripts have in ``tools/``."""

INTERRUPTED = 128 + signal.SIGINT

_EXAMPLES = """examples:
  otadet demo image -n ota_nano_cells --path docs/assets/cells.jpg
  otadet train my/data --minutes 10
  otadet train -n finetune_nano -c yolox_nano data_dir=my/data
  otadet doctor data_dir=my/data --page runs/doctor
  otadet report runs/finetune_nano
  otadet eval -c runs/finetune_nano/best.pth
  otadet inspect -c runs/finetune_nano/best.pth --assigners ota,simota,atss
  otadet compare --methods ota simota --budget 2000 --data my/data
  otadet demo image -c runs/finetune_nano/best.pth --path photos/
  otadet demo video -c runs/finetune_nano/best.pth --path street.mp4
  otadet export -c runs/finetune_nano/best.pth --format onnx --output ota.onnx
  otadet convert -n yolox_nano -c yolox_nano.pth -o nano.pth
  otadet convert-data datasets/mine datasets/mine_coco --to coco
  otadet get-data voc2007
  otadet benchmark -n yolox_nano -d cpu
  otadet replay runs/yolox_nano/faults/step_0000120_rank_0.pth

`otadet COMMAND --help` lists a command's options. Settings of an experiment
follow as key=value; `otadet train -n NAME --help-settings` lists them."""


def help_text() -> str:
    """Return the text of ``otadet --help``."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {about}" for name, (_, about) in COMMANDS.items()]
    usage = "usage: otadet COMMAND [options]\n       otadet --help | --version"
    about = "Train, evaluate, run and export dense object detectors."
    return "\n\n".join([usage, about, "commands:\n" + "\n".join(lines), _EXAMPLES])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names.

    Raises:
        InputError: there is no such command; names the nearest.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(help_text())  # noqa: T201 - its output
        return 0
    if words[0] == "--version":
        print(f"otadet {otadet.__version__}")  # noqa: T201 - its output
        return 0
    word, *rest = words
    name = word.replace("_", "-")
    name = _TOOLS.get(name, name)
    if name not in COMMANDS:
        near = nearest(word, COMMANDS)
        hint = f"did you mean {near!r}? " if near else ""
        raise InputError(
            f"otadet: no command is called {word!r}; {hint}commands: {', '.join(COMMANDS)}"
        )
    return _command(COMMANDS[name][0], rest, f"otadet {name}")


def entry() -> NoReturn:
    """Run the console script."""
    _guarded(main)


def run(module: str) -> NoReturn:
    """Run a script of ``tools/``: the command in this module of ``otadet.cli``."""
    script = Path(sys.argv[0]).name  # two scripts may lead to one command
    _guarded(lambda _: _command(module, sys.argv[1:], script))


def _command(module: str, words: Sequence[str], prog: str) -> int:
    """Parse, and only then import the command: importing torch takes seconds, ``--help`` none."""
    args = importlib.import_module(f"otadet.cli.parsers.{module}").parser(prog).parse(words)
    code: int = importlib.import_module(f"otadet.cli.{module}").run(args)
    return code


def _guarded(command: Callable[[Sequence[str] | None], int]) -> NoReturn:
    """Ctrl-C ends quietly from the start, whatever is being imported."""
    try:
        from otadet.cli.process import run_main
    except KeyboardInterrupt:
        sys.stderr.write("stopped by Ctrl-C\n")
        sys.exit(INTERRUPTED)
    run_main(command)
