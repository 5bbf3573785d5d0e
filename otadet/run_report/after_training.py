"""The page at the end of a training, which must not fail for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from loguru import logger

from otadet.engine.report import draw_report
from otadet.engine.run_record import read_record
from otadet.engine.trainer import Trainer
from otadet.run_report.gather import Status, Subject, gather
from otadet.run_report.page import FILE, write_page
from otadet.texts import indented


def rehearse_report(trainer: Trainer) -> None:
    """Write the page of a run that is going, and draw what belongs to its end for the time alone.

    What a run by time needs for its report is known then.
    """
    report_after_training(trainer, "running")
    with tempfile.TemporaryDirectory() as folder:
        draw_report(trainer, Path(folder))


def report_after_training(trainer: Trainer, status: Status | None = None) -> None:
    """Write ``report.html`` of a run that has ended; whatever goes wrong there is a warning.

    ``status`` is that of the page, by default found by the number of steps.
    """
    folder = trainer.options.output
    whole = trainer.state.step >= trainer.total
    try:
        subject = Subject(
            folder, read_record(folder), trainer.exp, trainer.train_data, trainer.val_data,
            status or ("finished" if whole else "stopped early"),
        )  # fmt: skip
        report = gather(subject)
        write_page(report)
        if report.conclusion is not None and status is None:
            logger.info("result\n{}", indented("\n".join(report.conclusion.lines())))
    except Exception as error:  # the run has its weights; the page can be made again
        logger.warning(
            "{} was not written: {}: {}; try `otadet report {}`",
            folder / FILE, type(error).__name__, error, folder,
        )  # fmt: skip
