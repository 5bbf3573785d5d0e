"""Metrics of detections: COCO, CrowdHuman, PASCAL VOC, operating points."""

from otadet.evaluation.backends import Backend
from otadet.evaluation.coco import coco
from otadet.evaluation.evaluator import Evaluator, Measure, MeasureFunction
from otadet.evaluation.measures import MetricKind, build_evaluator
from otadet.evaluation.operating_points import (
    Curve,
    OperatingCurves,
    best_operating_point,
    operating_points,
)
from otadet.evaluation.result import (
    METRIC_NAMES,
    ClassResult,
    Evaluation,
    OperatingPoint,
    Table,
    format_table,
    headline,
)
from otadet.evaluation.saved import SavedEvaluation, load_evaluation
from otadet.evaluation.store import DetectionColumns, DetectionStore

__all__ = [
    "METRIC_NAMES",
    "Backend",
    "ClassResult",
    "Curve",
    "DetectionColumns",
    "DetectionStore",
    "Evaluation",
    "Evaluator",
    "Measure",
    "MeasureFunction",
    "MetricKind",
    "OperatingCurves",
    "OperatingPoint",
    "SavedEvaluation",
    "Table",
    "best_operating_point",
    "build_evaluator",
    "coco",
    "format_table",
    "headline",
    "load_evaluation",
    "operating_points",
]
