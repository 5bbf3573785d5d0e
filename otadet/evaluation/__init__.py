"""Metrics of detections: COCO, CrowdHuman, PASCAL VOC, operating points."""

from otadet.evaluation.backends import Backend
from otadet.evaluation.coco import coco
from otadet.evaluation.error_kinds import ErrorKind, error_kinds
from otadet.evaluation.evaluator import Evaluator, Measure, MeasureFunction
from otadet.evaluation.image_matches import ImageMatches
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
from otadet.evaluation.size_bins import SizeBin, ap_by_size
from otadet.evaluation.store import DetectionColumns, DetectionStore

__all__ = [
    "METRIC_NAMES",
    "Backend",
    "ClassResult",
    "Curve",
    "DetectionColumns",
    "DetectionStore",
    "ErrorKind",
    "Evaluation",
    "Evaluator",
    "ImageMatches",
    "Measure",
    "MeasureFunction",
    "MetricKind",
    "OperatingCurves",
    "OperatingPoint",
    "SavedEvaluation",
    "SizeBin",
    "Table",
    "ap_by_size",
    "best_operating_point",
    "build_evaluator",
    "coco",
    "error_kinds",
    "format_table",
    "headline",
    "load_evaluation",
    "operating_points",
]
