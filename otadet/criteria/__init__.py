"""Criteria: predictions and targets to a loss, by way of an assigner."""

from otadet.criteria.base import (
    Criterion,
    Matched,
    loss_report,
    masked_sum,
    match,
    matched_targets,
    mean_positives,
)
from otadet.criteria.detr import DETRCriterion
from otadet.criteria.fcos import FCOSCriterion, Weighing, Weights, centerness
from otadet.criteria.yolox import YOLOXCriterion

__all__ = [
    "Criterion",
    "DETRCriterion",
    "FCOSCriterion",
    "Matched",
    "Weighing",
    "Weights",
    "YOLOXCriterion",
    "centerness",
    "loss_report",
    "masked_sum",
    "match",
    "matched_targets",
    "mean_positives",
]
