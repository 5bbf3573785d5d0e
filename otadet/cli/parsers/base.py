"""The parser of every command, and the arguments that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, get_args

from otadet.choices import NmsKind
from otadet.foreign import ours
from otadet.texts import nearest

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

CHECKPOINT_HELP = (
    "a checkpoint, official YOLOX weights, torchvision's FCOS, or the name of published weights "
    "as yolox_s or ota_nano_cells; default: runs/<experiment>/best.pth, then the published ones"
)

DEVICE_HELP = (
    "a GPU's number with a comma (0, is the first), cpu or mps; default: a GPU where there is one"
)


class _Formatter(argparse.HelpFormatter):
    """Wraps a description; an epilog of several lines, as of examples, stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Argument parser that accepts options and positional arguments in any order.

    Args:
        prog: name of the command; by default that of the script.
        description: what it does.
        epilog: examples and exit codes.
    """

    def __init__(self, prog: str | None, *, description: str, epilog: str) -> None:
        super().__init__(prog, description=description, epilog=epilog, formatter_class=_Formatter)

    def parse(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse a command line; exits with a message on a wrong argument."""
        words = sys.argv[1:] if words is None else words
        args, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            self.error(self._explained(unknown[0], words))
        if isinstance(getattr(args, "checkpoint", None), list):
            _find_settings(args)
        if hasattr(args, "path"):
            _find_paths(args)
        return args

    def _explained(self, unknown: str, words: Sequence[str]) -> str:
        """Describe an unknown argument and what was probably meant."""
        option, _, value = unknown.partition("=")
        name = option.lstrip("-").replace("-", "_")
        own = [each for action in self._actions for each in action.option_strings]
        near = nearest(option, own, 0.8)
        if not option.startswith("--") or not any(a.dest == "overrides" for a in self._actions):
            return f"unrecognized: {unknown}" + (f"; did you mean {near}?" if near else "")
        after = words[words.index(unknown) + 1 :][:1] if unknown in words else []
        if not value and after and not after[0].startswith("-"):
            value = after[0]
        if meant := ours(name, value):
            return f"{option}: {meant}"
        if near:
            return f"{option}: no such option; did you mean {near}?"
        return f"{option}: no such option; settings have no dashes: {name}={value or '...'}"

    def error(self, message: str) -> NoReturn:
        """End with one line; argparse would print every option before it."""
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help lists the options)\n")

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; unlike argparse's own, a failed write raises."""
        (sys.stdout if file is None else file).write(self.format_help())


def _find_settings(args: argparse.Namespace) -> None:
    """Move settings that follow the last of several checkpoints, ``-c a.pth b.pth key=value``."""
    given = list(args.checkpoint)
    settings = [word for word in given if "=" in word and not os.path.exists(word)]  # noqa: PTH110
    args.checkpoint = [word for word in given if word not in settings] or None
    args.overrides = [*settings, *args.overrides]


def _find_paths(args: argparse.Namespace) -> None:
    """Move arguments that are not settings to ``path``.

    A shell expands ``photos/*.jpg`` to several arguments, of which ``--path`` takes only the first.
    """
    paths, settings = list(args.path or []), []
    words = iter(args.overrides)
    for word in words:
        key, equals, _ = word.partition("=")
        if os.path.exists(word) or not key.isidentifier():  # noqa: PTH110 - long words are no error
            paths.append(word)
        else:
            settings.append(word)
            if not equals:  # its value follows
                settings += [value for value in [next(words, None)] if value is not None]
    args.path, args.overrides = paths or None, settings


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``-f``, ``-n``, the trailing overrides and ``--help-settings``."""
    group = parser.add_argument_group("experiment (give one of -f and -n)")
    group.add_argument("-f", "--exp-file", metavar="FILE", help="experiment file, see exps/")
    group.add_argument(
        "-n", "--name", metavar="NAME",
        help="experiment by name, as quickstart or yolox_nano; `otadet train --help` lists them",
    )  # fmt: skip
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],  # else argparse calls it required when another word is missing
        metavar="key=value",
        help="settings to change, for example max_epochs=50 data_dir=my/data",
    )
    group.add_argument(
        "--help-settings",
        action="store_true",
        help="list every setting with its value and meaning, and exit",
    )


def add_test_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--size``, ``--nms`` and ``--nms-kind``."""
    parser.add_argument(
        "--size", metavar="N or HxW", help="input size in pixels in place of the checkpoint's"
    )
    parser.add_argument(
        "--nms",
        type=float,
        metavar="IOU",
        help="IoU threshold of NMS, in place of the checkpoint's",
    )
    parser.add_argument(
        "--nms-kind", choices=get_args(NmsKind), metavar="KIND",
        help="hard: remove overlapped boxes; linear, gaussian: lower their scores (soft-NMS)",
    )  # fmt: skip


def add_csv_guard(parser: argparse.ArgumentParser) -> None:
    """Add ``--csv-guard`` and ``--no-csv-guard``."""
    parser.add_argument(
        "--csv-guard", action=argparse.BooleanOptionalAction, default=True,
        help="put ' in front of names in CSV that a spreadsheet would take for a formula (default)",
    )  # fmt: skip


def add_precision_arguments(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, default: str
) -> None:
    """Add the exclusive ``--fp32``, ``--fp16`` and ``--bf16``, as ``args.precision``."""
    group = parser.add_mutually_exclusive_group()
    for name, text in (
        ("fp32", f"single precision; default: {default}"),
        ("fp16", "half precision, in training with loss scaling (GPU)"),
        ("bf16", "bfloat16, on GPUs and recent CPUs"),
    ):
        group.add_argument(
            f"--{name}", dest="precision", action="store_const", const=name, help=text
        )
