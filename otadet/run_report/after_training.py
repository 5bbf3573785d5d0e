"""The page at the end of a training, which must not fail for it."""

from __future__ import annotations

from loguru import logger

from otadet.engine.run_record import read_record
from otadet.engine.trainer import Trainer
from otadet.run_report.gather import Subject, gather
from otadet.run_report.page import FILE, write_page


def report_after_training(trainer: Trainer) -> None:
    """Write ``report.html`` of a run that has ended; whatever goes wrong there is a warning."""
    folder = trainer.options.output
    whole = trainer.state.step >= trainer.total
    try:
        subject = Subject(
            folder, read_record(folder), trainer.exp, trainer.train_data, trainer.val_data,
            "finished" if whole else "stopped early",
        )  # fmt: skip
        write_page(gather(subject))
    except Exception as error:  # the run has its weights; the page can be made again
        logger.warning(
            "{} was not written: {}: {}; try `otadet report {}`",
            folder / FILE, type(error).__name__, error, folder,
        )  # fmt: skip
