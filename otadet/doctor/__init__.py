"""Checks of a data set before training: all faults at once, and its statistics."""

from otadet.data.findings import Finding, Severity, Spot
from otadet.doctor.checks import check_dataset
from otadet.doctor.config import DoctorConfig
from otadet.doctor.report import Report

__all__ = ["DoctorConfig", "Finding", "Report", "Severity", "Spot", "check_dataset"]
