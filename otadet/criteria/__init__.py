"""Criteria: predictions and targets to a loss, by way of an assigner."""

from otadet.criteria.fcos import FCOSCriterion, centerness
from otadet.criteria.matched import Criterion, matched_targets
from otadet.criteria.yolox import YOLOXCriterion

__all__ = ["Criterion", "FCOSCriterion", "YOLOXCriterion", "centerness", "matched_targets"]
