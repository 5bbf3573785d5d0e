"""``tools/doctor.py``: check a data set before training."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.atomic import atomic_write
from otadet.cli.common import select_experiment
from otadet.cli.parsers.doctor import parser
from otadet.doctor import DoctorConfig, Report, check_dataset
from otadet.doctor.html import PAGE, write_html
from otadet.doctor.report import as_text, in_lines
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.outputs import Inputs, begins_with, check_output
from otadet.pages import is_page

DEFAULT = "ota_fcos_r18"
_LINES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Check the data and write the report; the exit code is 1 where training is not possible."""
    if args.workers < 1:
        raise InputError(f"--workers {args.workers}: expected at least 1")
    if args.exp_file is None and args.name is None:
        args.name = DEFAULT
    exp = select_experiment(args)
    if exp is None:
        return 0
    config = DoctorConfig.of(exp)
    for option, path in (("--json", args.json), ("--page", args.page)):
        if path is not None:
            _check_output(option, Path(path))
    report = check_dataset(
        config, quick=args.quick, workers=args.workers, progress=sys.stderr.isatty()
    )
    print(as_text(report))  # noqa: T201 - its output
    if args.json is not None:
        atomic_write(Path(args.json), json.dumps(report.as_dict(), indent=1))
    if args.page is not None:
        logger.info("written: {}", write_html(report, Path(args.page)))
    return 0 if report.can_train else 1


def check_data(exp: BaseExp) -> None:
    """Run the quick checks before training and log their warnings in a few lines.

    Raises:
        InputError: there is an error; its message is the reader's, or else the first finding.
    """
    report = check_dataset(DoctorConfig.of(exp), quick=True, crowds=False)
    if report.can_train:
        for line in in_lines(report, _LINES):
            logger.warning(line)
        return
    raise InputError(_refusal(exp, report))


def _refusal(exp: BaseExp, report: Report) -> str:
    said = list(report.refusals.values()) or in_lines(report, 1)
    hint = f"tools/doctor.py data_dir={exp.data_dir} lists all findings, check_data=false skips "
    hint += "this check"
    return f"{said[0]} ({hint})" if "\n" not in said[0] else f"{said[0]}\n  {hint}"


def _check_output(option: str, path: Path) -> None:
    if option == "--page" and path.exists() and not path.is_dir():
        raise InputError(f"{option} {path}: is a file")
    if option == "--json" and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"{option} {path}: expected a file in an existing folder")
    if option == "--json":
        check_output(path, Inputs(), begins_with(b'{\n "otadet": "'))
    else:
        check_output(path / PAGE, Inputs(), is_page)
