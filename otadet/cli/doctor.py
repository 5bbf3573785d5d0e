"""``tools/doctor.py``: look a data set over before training."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.atomic import atomic_write
from otadet.cli.common import chosen_exp
from otadet.cli.parsers.doctor import parser
from otadet.doctor import Report, Subject, examine
from otadet.doctor.page import write_page
from otadet.doctor.text import as_text, in_lines
from otadet.errors import InputError
from otadet.exp import BaseExp

DEFAULT = "ota_fcos_r18"
_LINES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Examine, write, and say whether the data can be trained on."""
    if args.workers < 1:
        raise InputError(f"--workers {args.workers}: expected at least 1")
    if args.exp_file is None and args.name is None:
        args.name = DEFAULT
    exp = chosen_exp(args)
    if exp is None:
        return 0
    subject = Subject.of(exp)
    for option, path in (("--json", args.json), ("--page", args.page)):
        if path is not None:
            _check_output(option, Path(path))
    report = examine(subject, quick=args.quick, workers=args.workers, progress=sys.stderr.isatty())
    print(as_text(report))  # noqa: T201 - its output
    if args.json is not None:
        atomic_write(Path(args.json), json.dumps(report.as_dict(), indent=1))
    if args.page is not None:
        logger.info("written: {}", write_page(report, Path(args.page)))
    return 0 if report.can_train else 1


def look_over(exp: BaseExp) -> None:
    """The quick part, before a run: warnings in a few lines, and an end where it cannot train.

    Raises:
        InputError: an error was found; what the reader says, or else the first finding.
    """
    report = examine(Subject.of(exp), quick=True, crowds=False)
    if report.can_train:
        for line in in_lines(report, _LINES):
            logger.warning(line)
        return
    raise InputError(_refusal(exp, report))


def _refusal(exp: BaseExp, report: Report) -> str:
    said = next(iter(report.refusals.values()), None) or in_lines(report, 1)[0]
    more = sum(each.count for each in report.errors) - 1
    others = f" ({more} more faults" if more else " (nothing else"
    return (
        f"{said}{others} found; all of them: tools/doctor.py data_dir={exp.data_dir}; "
        "check_data=false goes without this look)"
    )


def _check_output(option: str, path: Path) -> None:
    if option == "--page" and path.exists() and not path.is_dir():
        raise InputError(f"{option} {path}: is a file")
    if option == "--json" and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"{option} {path}: expected a file in a folder that is there")
