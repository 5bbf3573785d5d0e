"""Report of a run: one page that says what ran, what it learned and where it errs."""

from otadet.run_report.after_training import rehearse_report, report_after_training
from otadet.run_report.gather import RunReport, Subject, gather
from otadet.run_report.open_run import open_run
from otadet.run_report.page import FILE, write_page

__all__ = [
    "FILE",
    "RunReport",
    "Subject",
    "gather",
    "open_run",
    "rehearse_report",
    "report_after_training",
    "write_page",
]
