"""Criteria: predictions and targets to a loss, by way of an assigner."""

from otadet.criteria.fcos import FCOSCriterion, centerness

__all__ = ["FCOSCriterion", "centerness"]
