"""Open a run directory: its record, experiment and data, as far as they are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.run_directory import is_run
from otadet.engine.run_record import RunRecord, read_record
from otadet.errors import InputError
from otadet.exp import BaseExp, load_class, load_named
from otadet.run_report.gather import Subject

T = TypeVar("T")


def open_run(folder: Path, exp_file: str | None = None, words: Sequence[str] = ()) -> Subject:
    """Open a run; what is not there is noted in the subject's ``missing``.

    Args:
        folder: run directory.
        exp_file: the experiment's, where it is not one of ``exps/``.
        words: settings to change, ``key=value``.

    Raises:
        InputError: the folder is not a run directory.
    """
    if not is_run(folder):
        raise InputError(
            f"{folder}: expected a run directory, with log.txt, metrics.jsonl or last.pth; "
            f"got {'a folder without them' if folder.is_dir() else 'no folder'}"
        )
    missing: dict[str, str] = {}

    def attempt(what: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except InputError as error:
            missing[what] = str(error)
            return None

    record = attempt("run.json", lambda: read_record(folder))
    exp = attempt("experiment", lambda: _experiment(folder, record, exp_file, words))
    train = attempt("training set", exp.build_train_data) if exp else None
    names = record.class_names if record else train.class_names if train else None
    val = attempt("validation set", lambda: exp.build_val_data(names)) if exp else None
    return Subject(folder, record, exp, train, val, None, missing)


def _experiment(
    folder: Path, record: RunRecord | None, exp_file: str | None, words: Sequence[str]
) -> BaseExp:
    """Make the run's experiment; its images are not cached for the few that a report shows."""
    name, settings = (record.experiment, record.settings) if record else _of_checkpoint(folder)
    cls = load_class(exp_file) if exp_file else load_named(name, f"run {folder}", folder)
    saved = {name: value for name, value in settings.items() if not name.startswith("cache")}
    return cls(saved, **cls.parse(words))


def _of_checkpoint(folder: Path) -> tuple[str, dict[str, object]]:
    checkpoint = load_checkpoint(folder / "best.pth")
    return checkpoint.experiment, checkpoint.settings
