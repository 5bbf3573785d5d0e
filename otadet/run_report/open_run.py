"""Open a run directory: its record, experiment and data, as far as they are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.run_directory import is_run
from otadet.engine.run_record import RunRecord, read_record
from otadet.errors import InputError
from otadet.exp import BaseExp, load_class, load_named
from otadet.run_report.gather import Attempts, Subject


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
    work = Attempts()
    record = work.attempt("run.json", lambda: read_record(folder), None)
    exp = work.attempt("experiment", lambda: _experiment(folder, record, exp_file, words), None)
    train = work.attempt("training set", exp.build_train_data, None) if exp else None
    names = record.class_names if record else train.class_names if train else None
    val = work.attempt("validation set", lambda: exp.build_val_data(names), None) if exp else None
    return Subject(folder, record, exp, train, val, None, work.missing)


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
