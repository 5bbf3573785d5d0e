"""Criteria: predictions and targets to a loss, by way of an assigner."""

from otadet.criteria.auto_assign import AutoAssignCriterion
from otadet.criteria.centerness import centerness
from otadet.criteria.detr import DETRCriterion
from otadet.criteria.fcos import FCOSCriterion
from otadet.criteria.free_anchor import FreeAnchorCriterion
from otadet.criteria.matched import Criterion, matched_targets, mean_positives
from otadet.criteria.rcnn import RCNNCriterion
from otadet.criteria.weights import CenterWeight, Cleanliness, Matched, Weighing, Weights
from otadet.criteria.yolox import YOLOXCriterion

__all__ = [
    "AutoAssignCriterion",
    "CenterWeight",
    "Cleanliness",
    "Criterion",
    "DETRCriterion",
    "FCOSCriterion",
    "FreeAnchorCriterion",
    "Matched",
    "RCNNCriterion",
    "Weighing",
    "Weights",
    "YOLOXCriterion",
    "centerness",
    "matched_targets",
    "mean_positives",
]
